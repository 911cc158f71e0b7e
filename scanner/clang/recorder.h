// recorder.h — what the preprocessor tells while it reads one translation unit, as a graph; and the answers to
// questions such as __has_builtin(x), which come from the compiler that the command names. One thread, one pass.
#ifndef WB_SCANNER_CLANG_RECORDER_H
#define WB_SCANNER_CLANG_RECORDER_H

#include "scanner/clang/liveness.h"
#include "scanner/clang/request_fs.h"

#include "clang/Lex/PPCallbacks.h"
#include "clang/Lex/Preprocessor.h"

namespace waybill
{

// The graph of one pass, in the shape that it is handed out in; strings are owned here.
struct Graph {
	struct File {
		std::string Path;
		wb_stat_id Id = {};
		uint32_t Flags = 0, Notes = 0, FirstEdge = UINT32_MAX;
		clang::OptionalFileEntryRef Entry;
	};
	struct Edge {
		uint32_t From, To, Line;
		wb_edge_kind Kind;
		bool Skipped, InPrefix;
		std::string Name;
	};
	std::vector<File> Files;
	std::vector<Edge> Edges;
	uint32_t Notes = 0; // wb_shim_note bits of the whole pass
	std::string Doubt;
	bool Modules = false, Unknown = false; // Unknown: a question had no answer yet
	bool NeedsFull = false;                // the reduction to directives was not sound here
	bool SawLineMacro = false, SawLineDirective = false;
};

class Recorder : public clang::PPCallbacks
{
      public:
	Recorder(Graph &graph, clang::Preprocessor &pp, RequestFS &fs, const wb_shim_request &request, bool full);

	void InclusionDirective(clang::SourceLocation hash, const clang::Token &include, llvm::StringRef name,
				bool angled, clang::CharSourceRange range, clang::OptionalFileEntryRef file,
				llvm::StringRef searchPath, llvm::StringRef relativePath,
				const clang::Module *suggested, bool imported,
				clang::SrcMgr::CharacteristicKind kind) override;
	void FileSkipped(const clang::FileEntryRef &file, const clang::Token &name,
			 clang::SrcMgr::CharacteristicKind kind) override;
	void LexedFileChanged(clang::FileID fid, LexedFileChangeReason reason, clang::SrcMgr::CharacteristicKind kind,
			      clang::FileID previous, clang::SourceLocation at) override;
	void HasInclude(clang::SourceLocation at, llvm::StringRef name, bool angled, clang::OptionalFileEntryRef file,
			clang::SrcMgr::CharacteristicKind kind) override;
	void HasEmbed(clang::SourceLocation at, llvm::StringRef name, bool angled,
		      clang::OptionalFileEntryRef file) override;
	void EmbedDirective(clang::SourceLocation hash, llvm::StringRef name, bool angled,
			    clang::OptionalFileEntryRef file,
			    const clang::LexEmbedParametersResult &parameters) override;
	void moduleImport(clang::SourceLocation at, clang::ModuleIdPath path, const clang::Module *imported) override;
	void MacroExpands(const clang::Token &name, const clang::MacroDefinition &definition, clang::SourceRange range,
			  const clang::MacroArgs *args) override;

	// A token that reached the end of the pipe.
	void token(const clang::Token &tok);
	void finish();

      private:
	struct Builtin {
		enum Kind { Lookup, Question, ExpandedQuestion, Counter, Line, File, Time, Timestamp } What;
		const char *Name;
	};
	uint32_t node(llvm::StringRef path);
	uint32_t node(clang::FileEntryRef entry);
	uint32_t addEdge(clang::SourceLocation at, uint32_t to, wb_edge_kind kind, llvm::StringRef name);
	void enter(clang::FileID fid, uint32_t file);
	bool inDirective(clang::SourceLocation at) const;
	void answerQuestion(clang::Token &name, const Builtin &builtin);
	void lookup(clang::Token &name, const Builtin &builtin);
	void becomes(clang::Token &name, uint32_t value);
	void doubt(wb_shim_note note, llvm::StringRef about);

	Graph &Out;
	clang::Preprocessor &PP;
	clang::SourceManager &SM;
	RequestFS &Fs;
	const wb_shim_request &Request;
	const bool Full;

	struct Entered {
		uint32_t File;
		FileText *Text;
	};
	llvm::StringMap<uint32_t> Index;                     // by spelling
	llvm::DenseMap<const void *, uint32_t> IndexOfEntry; // the same by clang's own entry of a spelling
	llvm::DenseMap<clang::FileID, Entered> FileOf;
	llvm::DenseMap<const clang::IdentifierInfo *, Builtin> Builtins;
	clang::IdentifierInfo *CounterName;
	SeenAnswers Answers;
	SeenAnswers::value_type::first_type LookupAt; // of the one that is under way
	bool Replaying = false;                       // the start of a condition is expanded again
	uint32_t Counter = 0;                         // the real value of __COUNTER__
	uint32_t Pending = UINT32_MAX;                // the file that the last #include named and that is entered next
	bool PendingPrefix = false, InPrefix = false;
	clang::FileID PrefixFile;
	uint32_t ForcedSeen = 0;
	const clang::IdentifierInfo *ModuleWord = nullptr; // "import" or "module" seen as the first word of a line
};

} // namespace waybill

#endif
