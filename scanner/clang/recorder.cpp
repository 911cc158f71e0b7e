#include "scanner/clang/recorder.h"

#include "clang/Lex/HeaderSearch.h"

namespace waybill
{

using namespace clang;
using llvm::StringRef;

// A leading "./" says nothing; compilers leave it out of depfiles.
static StringRef plain(StringRef path)
{
	while (path.size() > 2 && path.starts_with("./")) {
		path = path.drop_front(2);
		while (path.starts_with("/"))
			path = path.drop_front();
	}
	return path;
}

Recorder::Recorder(Graph &graph, Preprocessor &pp, RequestFS &fs, const wb_shim_request &request, bool full)
    : Out(graph), PP(pp), SM(pp.getSourceManager()), Fs(fs), Request(request), Full(full)
{
	// Whether the operand is macro-expanded first: clang's PPMacroExpansion.cpp. gcc always does.
	static const Builtin table[] = {
	    {Builtin::Lookup, "__has_include"},
	    {Builtin::Lookup, "__has_include_next"},
	    {Builtin::Lookup, "__has_embed"},
	    {Builtin::Question, "__has_feature"},
	    {Builtin::Question, "__has_extension"},
	    {Builtin::Question, "__has_builtin"},
	    {Builtin::Question, "__has_constexpr_builtin"},
	    {Builtin::ExpandedQuestion, "__has_attribute"},
	    {Builtin::ExpandedQuestion, "__has_cpp_attribute"},
	    {Builtin::ExpandedQuestion, "__has_c_attribute"},
	    {Builtin::ExpandedQuestion, "__has_declspec_attribute"},
	    {Builtin::Question, "__has_warning"},
	    {Builtin::Question, "__is_identifier"},
	    {Builtin::Question, "__is_target_arch"},
	    {Builtin::Question, "__is_target_vendor"},
	    {Builtin::Question, "__is_target_os"},
	    {Builtin::Question, "__is_target_environment"},
	    {Builtin::Question, "__is_target_variant_os"},
	    {Builtin::Question, "__is_target_variant_environment"},
	    {Builtin::Counter, "__COUNTER__"},
	    {Builtin::Line, "__LINE__"},
	    {Builtin::File, "__FILE__"},
	    {Builtin::File, "__BASE_FILE__"},
	    {Builtin::File, "__FILE_NAME__"},
	    {Builtin::Time, "__DATE__"},
	    {Builtin::Time, "__TIME__"},
	    {Builtin::Timestamp, "__TIMESTAMP__"},
	};
	for (const Builtin &b : table) {
		IdentifierInfo *name = PP.getIdentifierInfo(b.Name);
		Builtins[name] = b;
		// Another compiler may have it where clang has not (gcc: __has_c_attribute in C++). Names that this
		// compiler lacks are undefined by the request.
		if (!name->hasMacroDefinition()) {
			MacroInfo *info = PP.AllocateMacroInfo(SourceLocation());
			info->setIsBuiltinMacro();
			PP.appendDefMacroDirective(name, info);
		}
	}
	CounterName = PP.getIdentifierInfo("__COUNTER__");
	node(Request.source);
}

void Recorder::doubt(wb_shim_note note, StringRef about)
{
	Out.Notes |= note;
	Out.Doubt = about.str();
}

uint32_t Recorder::node(StringRef path)
{
	path = plain(path);
	auto [it, fresh] = Index.try_emplace(path, static_cast<uint32_t>(Out.Files.size()));
	if (fresh) {
		Out.Files.emplace_back();
		Out.Files.back().Path = path.str();
	}
	return it->second;
}

uint32_t Recorder::node(FileEntryRef entry)
{
	auto [it, fresh] = IndexOfEntry.try_emplace(&entry.getMapEntry(), 0);
	if (!fresh)
		return it->second;
	it->second = node(entry.getName());
	Graph::File &file = Out.Files[it->second];
	if (!file.Entry) {
		file.Entry = entry;
		file.Id = Fs.look(entry.getName()).Id;
	}
	return it->second;
}

uint32_t Recorder::addEdge(SourceLocation at, uint32_t to, wb_edge_kind kind, StringRef name)
{
	auto [fid, offset] = SM.getDecomposedExpansionLoc(at);
	Graph::Edge edge = {UINT32_MAX, to, UINT32_MAX, kind, false, InPrefix, name.str()};
	auto from = FileOf.find(fid);
	if (from != FileOf.end()) {
		edge.From = from->second.File;
		edge.Line = from->second.Text != nullptr ? from->second.Text->lineOf(offset) : 0;
	}
	uint32_t index = static_cast<uint32_t>(Out.Edges.size());
	if (to != 0 && Out.Files[to].FirstEdge == UINT32_MAX)
		Out.Files[to].FirstEdge = index;
	Out.Edges.push_back(std::move(edge));
	return index;
}

void Recorder::InclusionDirective(SourceLocation hash, const Token &include, StringRef name, bool angled,
				  CharSourceRange, OptionalFileEntryRef file, StringRef, StringRef, const Module *,
				  bool imported, SrcMgr::CharacteristicKind)
{
	Pending = UINT32_MAX;
	PendingPrefix = false;
	bool forced = SM.getFileID(SM.getExpansionLoc(hash)) == PP.getPredefinesFileID();
	const wb_shim_forced *what = nullptr;
	if (forced && ForcedSeen < Request.nforced) {
		// An optional one that is not there has no directive (see predefines in invocation.cpp).
		while (ForcedSeen + 1 < Request.nforced && name != Request.forced[ForcedSeen].name)
			ForcedSeen++;
		what = &Request.forced[ForcedSeen++];
	}
	if (imported)
		Out.Modules = true;
	if (!file)
		return;
	tok::PPKeywordKind word =
	    include.getIdentifierInfo() ? include.getIdentifierInfo()->getPPKeywordID() : tok::pp_include;
	wb_edge_kind kind = what != nullptr                ? WB_EDGE_FORCED
			    : word == tok::pp_include_next ? WB_EDGE_NEXT
			    : word == tok::pp_import       ? WB_EDGE_IMPORT
			    : angled                       ? WB_EDGE_ANGLE
							   : WB_EDGE_QUOTE;
	uint32_t to = node(*file);
	Graph::Edge &edge = Out.Edges[addEdge(hash, to, kind, name)];
	if (what != nullptr) {
		edge.Line = what->arg;
		edge.InPrefix = what->prefix;
		PendingPrefix = what->prefix;
	}
	Pending = to;
}

void Recorder::FileSkipped(const FileEntryRef &, const Token &, SrcMgr::CharacteristicKind)
{
	if (!Out.Edges.empty() && Pending != UINT32_MAX)
		Out.Edges.back().Skipped = true;
	Pending = UINT32_MAX;
}

void Recorder::enter(FileID fid, uint32_t file)
{
	Graph::File &f = Out.Files[file];
	OptionalFileEntryRef entry = SM.getFileEntryRefForID(fid);
	if (!f.Entry)
		f.Entry = entry;
	f.Flags |= WB_GRAPH_ENTERED;
	if (InPrefix)
		f.Flags |= WB_GRAPH_IN_PREFIX;
	// Another spelling of a file that is known already reads the text of the first one.
	FileText *text = Fs.text(entry ? entry->getName() : StringRef(f.Path));
	FileOf[fid] = {file, text};
	if (text == nullptr) {
		doubt(WB_SHIM_CANNOT_READ, f.Path);
		return;
	}
	f.Id = text->Id;
	uint32_t flags = text->flags();
	if (flags & TextIncbin)
		f.Flags |= WB_GRAPH_INCBIN;
	static const std::pair<TextFlag, wb_shim_note> notes[] = {{TextPragmaDependency, WB_SHIM_PRAGMA_DEPENDENCY},
								  {TextPragmaTarget, WB_SHIM_PRAGMA_TARGET},
								  {TextElifdef, WB_SHIM_ELIFDEF},
								  {TextAsmInclude, WB_SHIM_ASM_INCLUDE}};
	for (const auto &[has, note] : notes)
		if (flags & has)
			f.Notes |= note;
	if (flags & TextModulePragma)
		Out.Modules = true;
	if (flags & TextLine)
		Out.SawLineDirective = true;
	if (flags & (TextTime | TextMacroPragma))
		Out.NeedsFull = true;
}

void Recorder::LexedFileChanged(FileID fid, LexedFileChangeReason reason, SrcMgr::CharacteristicKind, FileID previous,
				SourceLocation)
{
	if (reason == LexedFileChangeReason::ExitFile) {
		if (InPrefix && previous == PrefixFile)
			InPrefix = false;
		return;
	}
	if (fid == PP.getPredefinesFileID())
		return;
	if (fid == SM.getMainFileID()) {
		enter(fid, 0);
		return;
	}
	if (Pending == UINT32_MAX)
		return;
	if (PendingPrefix) {
		InPrefix = true;
		PrefixFile = fid;
		PendingPrefix = false;
	}
	enter(fid, Pending);
	Pending = UINT32_MAX;
}

void Recorder::HasInclude(SourceLocation at, StringRef name, bool, OptionalFileEntryRef file,
			  SrcMgr::CharacteristicKind)
{
	if (LookupAt.first.isValid())
		Answers[LookupAt] = file.has_value();
	LookupAt = {};
	if (file && SM.getFileID(SM.getExpansionLoc(at)) != PP.getPredefinesFileID())
		addEdge(at, node(*file), WB_EDGE_HAS_INCLUDE, name);
}

void Recorder::HasEmbed(SourceLocation at, StringRef name, bool, OptionalFileEntryRef file)
{
	if (file) {
		uint32_t to = node(*file);
		Out.Files[to].Flags |= WB_GRAPH_EMBED;
		addEdge(at, to, WB_EDGE_EMBED, name);
	}
}

void Recorder::EmbedDirective(SourceLocation hash, StringRef name, bool, OptionalFileEntryRef file,
			      const LexEmbedParametersResult &)
{
	HasEmbed(hash, name, false, file);
}

void Recorder::moduleImport(SourceLocation, ModuleIdPath, const Module *)
{
	Out.Modules = true;
}

// Is the macro at `at` expanded in a condition or an #include?
bool Recorder::inDirective(SourceLocation at) const
{
	if (PP.isParsingIfOrElifDirective())
		return true;
	auto [fid, offset] = SM.getDecomposedExpansionLoc(at);
	StringRef before = SM.getBufferData(fid).take_front(offset);
	size_t line = before.rfind('\n');
	return before.substr(line == StringRef::npos ? 0 : line + 1).ltrim(" \t").starts_with("#");
}

void Recorder::MacroExpands(const Token &name, const MacroDefinition &definition, SourceRange, const MacroArgs *)
{
	const MacroInfo *info = definition.getMacroInfo();
	if (info == nullptr || !info->isBuiltinMacro())
		return;
	auto it = Builtins.find(name.getIdentifierInfo());
	if (it == Builtins.end())
		return;
	// The token is the preprocessor's own, about to be replaced by its expansion; the callback sees it as const
	// only because most callbacks have no business with it.
	Token &writable = const_cast<Token &>(name);
	switch (it->second.What) {
	case Builtin::Lookup:
		if (Request.lazy_lookups)
			lookup(writable, it->second);
		break;
	case Builtin::Question:
	case Builtin::ExpandedQuestion:
		answerQuestion(writable, it->second);
		break;
	case Builtin::Counter:
		if (Replaying)
			doubt(WB_SHIM_UNSURE_LOOKUP, "");
		PP.setCounterValue(Counter++);
		if (inDirective(name.getLocation()))
			Out.NeedsFull = true; // expansions in lines that are no directives count too
		break;
	case Builtin::File:
		if (inDirective(name.getLocation()))
			doubt(WB_SHIM_FILE_MACRO, "");
		[[fallthrough]];
	case Builtin::Line:
		if (inDirective(name.getLocation()))
			Out.SawLineMacro = true;
		break;
	case Builtin::Time:
	case Builtin::Timestamp:
		if (Full) {
			// Where the word itself is written: a header's macro makes its users' objects depend on the
			// time.
			auto from = FileOf.find(SM.getFileID(SM.getSpellingLoc(name.getLocation())));
			if (from == FileOf.end())
				from = FileOf.find(SM.getFileID(SM.getExpansionLoc(name.getLocation())));
			uint32_t &flags = Out.Files[from != FileOf.end() ? from->second.File : 0].Flags;
			flags |= WB_GRAPH_TIME;
			if (it->second.What == Builtin::Timestamp)
				flags |= WB_GRAPH_TIMESTAMP;
		}
		Out.NeedsFull = true;
		break;
	}
}

// Lets the preprocessor expand the name to a number. It gets in by the one builtin whose value can be set: the token
// becomes __COUNTER__ for this expansion, and the real counter is kept here.
void Recorder::becomes(Token &name, uint32_t value)
{
	PP.setCounterValue(value);
	name.setIdentifierInfo(CounterName);
}

// The place of a question, as SeenAnswers has it.
static SeenAnswers::value_type::first_type placeOf(const SourceManager &sm, const Token &name)
{
	return {sm.getExpansionLoc(name.getLocation()), sm.getSpellingLoc(name.getLocation())};
}

// gcc looks for no file where the value does not matter, and takes 0 for it.
void Recorder::lookup(Token &name, const Builtin &builtin)
{
	auto place = placeOf(SM, name);
	bool embed = StringRef(builtin.Name) == "__has_embed"; // its answer is not kept
	Liveness liveness = Liveness::Dead;
	if (!Replaying) {
		Replaying = true;
		liveness = livenessOf(PP, name.getLocation(), Answers);
		Replaying = false;
		if (!embed) {
			LookupAt = place;
			Answers[place] = 0;
		}
	}
	if (liveness == Liveness::Unsure || (embed && liveness == Liveness::Dead))
		doubt(WB_SHIM_UNSURE_LOOKUP, SM.getFilename(place.first));
	if (liveness != Liveness::Dead || embed)
		return;
	Token tok;
	PP.LexUnexpandedToken(tok);
	bool good = tok.is(tok::l_paren) && !PP.LexHeaderName(tok);
	if (good)
		PP.LexUnexpandedToken(tok);
	if (!good || tok.isNot(tok::r_paren)) {
		doubt(WB_SHIM_MALFORMED_QUESTION, builtin.Name);
		PP.EnterToken(tok, true);
	}
	becomes(name, Answers.lookup(place));
}

// Reads "(operand)" off the input, and lets the preprocessor expand the name to the compiler's answer.
void Recorder::answerQuestion(Token &name, const Builtin &builtin)
{
	std::string operand;
	Token tok;
	PP.LexUnexpandedToken(tok);
	bool good = tok.is(tok::l_paren);
	for (unsigned depth = 1; good;) {
		if (builtin.What == Builtin::ExpandedQuestion || Request.expand_operands)
			PP.Lex(tok);
		else
			PP.LexUnexpandedToken(tok);
		if (tok.isOneOf(tok::eod, tok::eof)) {
			good = false;
		} else if (tok.is(tok::r_paren) && --depth == 0) {
			break;
		} else {
			depth += tok.is(tok::l_paren);
			bool apart = tok.hasLeadingSpace() && !operand.empty() && tok.getIdentifierInfo() != nullptr &&
				     isWordByte(operand.back());
			operand += (apart ? " " : "") + PP.getSpelling(tok);
			good = operand.size() < 1024;
		}
	}
	uint32_t value = 0;
	if (!good) {
		doubt(WB_SHIM_MALFORMED_QUESTION, builtin.Name);
		PP.EnterToken(tok, true); // the end of the directive must still be seen
	} else if (!Request.answer(Request.answer_ctx, builtin.Name, operand.c_str(), &value)) {
		Out.Unknown = true;
	}
	becomes(name, value);
}

void Recorder::token(const Token &tok)
{
	if (!PP.getLangOpts().CPlusPlus20 || Out.Modules)
		return;
	if (tok.isAnnotation() && tok.isNot(tok::annot_embed)) {
		Out.Modules = true;
		return;
	}
	const IdentifierInfo *word = tok.isAnnotation() ? nullptr : tok.getIdentifierInfo();
	if (ModuleWord != nullptr)
		Out.Modules = word != nullptr || tok.isOneOf(tok::colon, tok::semi, tok::less, tok::header_name) ||
			      tok::isStringLiteral(tok.getKind());
	ModuleWord = nullptr;
	if (word != nullptr && (word->isStr("import") || word->isStr("module")))
		ModuleWord = word;
}

void Recorder::finish()
{
	HeaderSearch &search = PP.getHeaderSearchInfo();
	std::vector<size_t> once;
	for (size_t i = 0; i < Out.Files.size(); i++) {
		Graph::File &file = Out.Files[i];
		if ((file.Flags & WB_GRAPH_ENTERED) == 0 || !file.Entry)
			continue;
		if (search.isFileMultipleIncludeGuarded(*file.Entry))
			file.Flags |= WB_GRAPH_GUARDED;
		const HeaderFileInfo *info = search.getExistingLocalFileInfo(*file.Entry);
		if (info != nullptr && (info->isPragmaOnce || info->isImport)) {
			file.Flags |= WB_GRAPH_ONCE;
			once.push_back(i);
		}
	}
	for (size_t i = 0; i < once.size(); i++)
		for (size_t j = 0; j < i; j++) {
			Graph::File &a = Out.Files[once[i]], &b = Out.Files[once[j]];
			if (a.Id.size != b.Id.size || (a.Id.dev == b.Id.dev && a.Id.ino == b.Id.ino))
				continue;
			FileText *x = Fs.text(a.Entry->getName()), *y = Fs.text(b.Entry->getName());
			if (x != nullptr && y != nullptr && x->bytes() == y->bytes())
				doubt(WB_SHIM_TWINS_ONCE, a.Path);
		}
	if (Out.SawLineMacro && Out.SawLineDirective)
		Out.NeedsFull = true;
	if (Fs.cannotRead())
		doubt(WB_SHIM_CANNOT_READ, Fs.unreadable());
}

} // namespace waybill
