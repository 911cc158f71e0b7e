// shim.cpp — the exported table, and one translation unit from its request to its result.
#include "scanner/clang/recorder.h"

#include "clang/Basic/Version.h"
#include "clang/Frontend/CompilerInstance.h"
#include "clang/Frontend/FrontendActions.h"
#include "clang/Frontend/TextDiagnosticPrinter.h"
#include "clang/Lex/HeaderSearchOptions.h"
#include "clang/Lex/LexDiagnostic.h"
#include "clang/Lex/PreprocessorOptions.h"

struct wb_shim_cache {
	waybill::FileCache Files;
};

namespace waybill
{
namespace
{

using namespace clang;

// Hands the directives of a file from the cache to the preprocessor.
class DirectivesGetter : public DependencyDirectivesGetter
{
      public:
	DirectivesGetter(RequestFS &fs, uint32_t unsound) : Fs(fs), Unsound(unsound)
	{
	}
	std::unique_ptr<DependencyDirectivesGetter> cloneFor(FileManager &) override
	{
		return std::make_unique<DirectivesGetter>(Fs, Unsound);
	}
	std::optional<ArrayRef<dependency_directives_scan::Directive>> operator()(FileEntryRef file) override
	{
		FileText *text = Fs.text(file.getName());
		ArrayRef<dependency_directives_scan::Directive> directives;
		if (text == nullptr || !text->directives(directives, Unsound))
			return std::nullopt;
		return directives;
	}

      private:
	RequestFS &Fs;
	const uint32_t Unsound; // flags of texts that must be lexed in full
};

// The text that is read before the source: macros, then the forced includes.
std::string predefinesOf(const wb_shim_request &req)
{
	std::string out(req.predefines, req.predefines_len);
	for (size_t i = 0; i < req.nforced; i++) {
		const wb_shim_forced &f = req.forced[i];
		if (f.optional)
			out += "#if __has_include(<" + std::string(f.name) + ">)\n#include <" + f.name + ">\n#endif\n";
		else
			out += std::string(f.imacros ? "#__include_macros \"" : "#include \"") + f.name + "\"\n" +
			       (f.imacros ? "##\n" : "");
	}
	return out;
}

class ScanAction : public PreprocessorFrontendAction
{
      public:
	ScanAction(Graph &graph, RequestFS &fs, const wb_shim_request &req, bool full)
	    : Out(graph), Fs(fs), Request(req), Full(full)
	{
	}

      protected:
	void ExecuteAction() override
	{
		Preprocessor &pp = getCompilerInstance().getPreprocessor();
		pp.setPredefines(predefinesOf(Request));
		auto owned = std::make_unique<Recorder>(Out, pp, Fs, Request, Full);
		Recorder *recorder = owned.get();
		pp.addPPCallbacks(std::move(owned));
		pp.IgnorePragmas();
		pp.EnterMainSourceFile();
		Token tok;
		for (pp.Lex(tok); tok.isNot(tok::eof); pp.Lex(tok))
			recorder->token(tok);
		recorder->finish();
	}

      private:
	Graph &Out;
	RequestFS &Fs;
	const wb_shim_request &Request;
	const bool Full;
};

// Errors as text. A live #error is none: texts that are reduced to directives have lost it, so it would depend on how a
// file is read.
class Errors : public TextDiagnosticPrinter
{
      public:
	using TextDiagnosticPrinter::TextDiagnosticPrinter;
	void HandleDiagnostic(DiagnosticsEngine::Level level, const Diagnostic &info) override
	{
		if (info.getID() != diag::err_pp_hash_error)
			TextDiagnosticPrinter::HandleDiagnostic(level, info);
	}
};

// Everything that a result points to.
struct Result : wb_shim_result {
	Graph What;
	std::string Diagnostics, DoubtText;
	std::vector<wb_graph_file> FileRows;
	std::vector<wb_edge> EdgeRows;
	std::vector<uint32_t> NoteRows;
	std::vector<std::string> MissText, BlockedText;
	std::vector<const char *> MissRows, BlockedRows;
};

// One pass. False: the arguments make no invocation; the diagnostics say why.
bool runPass(Result &out, RequestFS &fs, const wb_shim_request &req, bool full)
{
	out.What = Graph();
	out.Diagnostics.clear();
	llvm::raw_string_ostream text(out.Diagnostics);
	DiagnosticOptions options;
	options.ShowCarets = false;
	options.IgnoreWarnings = true;
	auto *errors = new Errors(text, options);

	auto vfs = llvm::IntrusiveRefCntPtr<llvm::vfs::FileSystem>(&fs);
	auto invocation = std::make_shared<CompilerInvocation>();
	IntrusiveRefCntPtr<DiagnosticsEngine> diagnostics =
	    CompilerInstance::createDiagnostics(fs, options, errors, true);
	std::vector<const char *> args(req.cc1, req.cc1 + req.ncc1);
	args.push_back(req.source);
	if (!CompilerInvocation::CreateFromArgs(*invocation, args, *diagnostics))
		return false;
	HeaderSearchOptions &search = invocation->getHeaderSearchOpts();
	search.UseBuiltinIncludes = false;
	search.UseStandardSystemIncludes = false;
	search.UseStandardCXXIncludes = false;
	for (size_t i = 0; i < req.ndir; i++) {
		static const frontend::IncludeDirGroup groups[] = {frontend::Quoted, frontend::Angled, frontend::System,
								   frontend::After};
		search.AddPath(req.dir[i].path, groups[req.dir[i].group], false, true);
	}
	invocation->getPreprocessorOpts().UsePredefines = false;
	invocation->getFrontendOpts().ShowStats = false;
	invocation->getFrontendOpts().DisableFree = false;

	CompilerInstance ci(invocation);
	ci.setVirtualFileSystem(vfs);
	ci.setDiagnostics(diagnostics);
	ci.setVerboseOutputStream(llvm::nulls());
	ci.createFileManager();
	if (!ci.createTarget())
		return false;
	if (!full)
		ci.setDependencyDirectivesGetter(
		    std::make_unique<DirectivesGetter>(fs, unsoundFor(invocation->getLangOpts())));
	ScanAction action(out.What, fs, req, full);
	const FrontendInputFile &input = invocation->getFrontendOpts().Inputs.front();
	if (action.BeginSourceFile(ci, input)) {
		if (llvm::Error e = action.Execute())
			llvm::consumeError(std::move(e));
		action.EndSourceFile();
	}
	out.failed = errors->getNumErrors() > 0;
	if (out.What.Files.empty()) { // the source itself could not be opened
		out.What.Files.emplace_back();
		out.What.Files.back().Path = req.source;
		out.failed = true;
	}
	return true;
}

void fillRows(Result &out, RequestFS &fs)
{
	for (const Graph::File &f : out.What.Files) {
		out.FileRows.push_back({f.Path.c_str(), f.Id, f.Flags, f.FirstEdge});
		out.NoteRows.push_back(f.Notes);
		if (f.Id.dev == ~uint64_t{0})
			out.FileRows.back().id = {};
	}
	for (const Graph::Edge &e : out.What.Edges)
		out.EdgeRows.push_back(
		    {e.From, e.To, e.Line, static_cast<uint8_t>(e.Kind), e.Skipped, e.InPrefix, e.Name.c_str()});
	for (StringRef miss : fs.misses())
		out.MissText.push_back(miss.starts_with("./") ? miss.drop_front(2).str() : miss.str());
	for (const std::string &miss : out.MissText)
		out.MissRows.push_back(miss.c_str());
	for (StringRef blocked : fs.blocked())
		out.BlockedText.push_back(blocked.str());
	for (const std::string &blocked : out.BlockedText)
		out.BlockedRows.push_back(blocked.c_str());
	out.blocked = out.BlockedRows.data();
	out.nblocked = out.BlockedRows.size();
	out.file = out.FileRows.data();
	out.nfile = static_cast<uint32_t>(out.FileRows.size());
	out.edge = out.EdgeRows.data();
	out.nedge = static_cast<uint32_t>(out.EdgeRows.size());
	out.miss = out.MissRows.data();
	out.nmiss = out.MissRows.size();
	out.modules = out.What.Modules;
	out.file_notes = out.NoteRows.data();
	out.notes = out.What.Notes;
	out.doubt = out.What.Doubt.c_str();
	out.diagnostics = out.Diagnostics.c_str();
	out.bytes_read = fs.bytesRead();
	out.files_read = fs.filesRead();
}

wb_shim_cache *cacheNew(uint64_t limit)
{
	return new wb_shim_cache{FileCache(limit)};
}

void cacheFree(wb_shim_cache *cache)
{
	delete cache;
}

wb_shim_result *scan(wb_shim_cache *cache, const wb_shim_request *req, char *why, size_t whyLen)
{
	auto result = std::make_unique<Result>();
	auto fs = llvm::makeIntrusiveRefCnt<RequestFS>(cache->Files, *req);
	bool full = req->full;
	bool good = runPass(*result, *fs, *req, full);
	if (good && !full && result->What.NeedsFull && !result->What.Unknown) {
		full = true;
		good = runPass(*result, *fs, *req, full);
	}
	if (!good) {
		snprintf(why, whyLen, "%s", result->Diagnostics.c_str());
		return nullptr;
	}
	result->full = full;
	fillRows(*result, *fs);
	return result.release();
}

void resultFree(wb_shim_result *r)
{
	delete static_cast<Result *>(r);
}

const wb_shim_api api = {WB_SHIM_ABI, CLANG_VERSION_STRING, cacheNew, cacheFree, scan, resultFree};

} // namespace
} // namespace waybill

extern "C" __attribute__((visibility("default"))) const wb_shim_api *wb_shim_get(unsigned abi)
{
	return abi == WB_SHIM_ABI ? &waybill::api : nullptr;
}
