#include "scanner/clang/liveness.h"

#include "scanner/clang/file_cache.h"

#include "clang/Lex/Lexer.h"
#include "clang/Lex/MacroInfo.h"

#include <algorithm>
#include <optional>

namespace waybill
{

using namespace clang;
using llvm::StringRef;

namespace
{

using Value = std::optional<int64_t>; // none: not known

// A token of the condition, macros expanded.
struct Item {
	tok::TokenKind Kind; // numeric_constant for every value; eof where the operand stands
	Value Number;
};

constexpr size_t MaxItems = 10000;

Value numberOf(StringRef text)
{
	std::string digits = text.str();
	digits.erase(std::remove(digits.begin(), digits.end(), '\''), digits.end());
	StringRef rest = StringRef(digits).rtrim("lL");
	uint64_t value;
	// Unsigned numbers compare in another way: not worth the code.
	if (rest.getAsInteger(0, value) || value > INT64_MAX)
		return std::nullopt;
	return static_cast<int64_t>(value);
}

// The condition up to the operand, as items; the preprocessor expands its macros once more.
class Reader
{
      public:
	Reader(Preprocessor &pp, const SeenAnswers &seen) : PP(pp), SM(pp.getSourceManager()), Seen(seen)
	{
	}
	// False: it is not understood.
	bool read(FileID fid, unsigned end);
	std::vector<Item> Items;

      private:
	bool rawTokens(FileID fid, unsigned end);
	size_t callEnd(size_t i) const;
	void expand();
	bool item();
	bool defined();

	Preprocessor &PP;
	SourceManager &SM;
	const SeenAnswers &Seen;
	std::vector<Token> Raw; // behind the #if
	Token Tok;
};

bool Reader::rawTokens(FileID fid, unsigned end)
{
	StringRef text = SM.getBufferData(fid);
	size_t start = end;
	do { // lines may be spliced
		size_t line = text.take_front(start).rfind('\n');
		start = line == StringRef::npos ? 0 : line;
	} while (start > 0 && text.take_front(start).rtrim(" \t\r").ends_with("\\"));
	start += text[start] == '\n';
	Lexer lexer(SM.getLocForStartOfFile(fid), PP.getLangOpts(), text.begin(), text.begin() + start, text.end());
	for (Token tok;;) {
		size_t n = Raw.size();
		IdentifierInfo *asks = n > 1 && Raw[n - 1].is(tok::l_paren) ? Raw[n - 2].getIdentifierInfo() : nullptr;
		if (asks != nullptr && (asks->isStr("__has_include") || asks->isStr("__has_include_next")))
			lexer.LexIncludeFilename(tok); // <x//y> holds no comment
		else
			lexer.LexFromRawLexer(tok);
		if (tok.is(tok::eof) || SM.getFileOffset(tok.getLocation()) >= end)
			break;
		if (tok.is(tok::raw_identifier))
			PP.LookUpIdentifierInfo(tok);
		Raw.push_back(tok);
	}
	if (Raw.size() < 2 || Raw[0].isNot(tok::hash) || Raw[1].getIdentifierInfo() == nullptr)
		return false;
	tok::PPKeywordKind directive = Raw[1].getIdentifierInfo()->getPPKeywordID();
	Raw.erase(Raw.begin(), Raw.begin() + 2);
	return directive == tok::pp_if || directive == tok::pp_elif;
}

// The last token of the call whose name is at `i`; the number of tokens when it has no end.
size_t Reader::callEnd(size_t i) const
{
	unsigned open = 0;
	for (size_t at = i + 1; at < Raw.size(); at++) {
		open += Raw[at].is(tok::l_paren);
		if (open == 0)
			return i;
		if (Raw[at].is(tok::r_paren) && --open == 0)
			return at;
	}
	return Raw.size();
}

// `defined X` and `defined(X)`; false: the end is reached.
bool Reader::defined()
{
	PP.LexUnexpandedToken(Tok);
	bool parenthesised = Tok.is(tok::l_paren);
	if (parenthesised)
		PP.LexUnexpandedToken(Tok);
	if (Tok.is(tok::eod))
		return false;
	IdentifierInfo *name = Tok.getIdentifierInfo();
	Items.push_back({tok::numeric_constant, name != nullptr && PP.isMacroDefined(name)});
	if (parenthesised)
		PP.LexUnexpandedToken(Tok);
	return Tok.isNot(tok::eod);
}

// False: the end is reached.
bool Reader::item()
{
	PP.Lex(Tok);
	IdentifierInfo *name = Tok.getIdentifierInfo();
	if (Tok.is(tok::eod))
		return false;
	if (Tok.is(tok::numeric_constant))
		Items.push_back({Tok.getKind(), numberOf(PP.getSpelling(Tok))});
	else if (name == nullptr || name->isCPlusPlusOperatorKeyword())
		Items.push_back({Tok.getKind(), std::nullopt});
	else if (name->isStr("defined"))
		return defined();
	else if (PP.getMacroInfo(name) != nullptr || (name->isStr("true") && !PP.getLangOpts().CPlusPlus))
		Items.push_back({tok::numeric_constant, std::nullopt}); // a macro within itself
	else
		Items.push_back({tok::numeric_constant, name->isStr("true")});
	return true;
}

// A call that the operand is among the arguments of ends what there is: what matters is where the call stands.
void Reader::expand()
{
	Token end;
	end.startToken();
	end.setKind(tok::eod);
	Raw.push_back(end);
	auto tokens = std::make_unique<Token[]>(Raw.size());
	std::copy(Raw.begin(), Raw.end(), tokens.get());
	// The operand may come out of a macro that stands before it too.
	std::vector<MacroInfo *> disabled;
	for (const Token &tok : Raw) {
		MacroInfo *macro =
		    tok.getIdentifierInfo() != nullptr ? PP.getMacroInfo(tok.getIdentifierInfo()) : nullptr;
		if (macro != nullptr && !macro->isEnabled()) {
			macro->EnableMacro();
			disabled.push_back(macro);
		}
	}
	bool silent = PP.getDiagnostics().getSuppressAllDiagnostics();
	PP.getDiagnostics().setSuppressAllDiagnostics(true);
	PP.EnterTokenStream(std::move(tokens), static_cast<unsigned>(Raw.size()), false, true);
	while (item())
		continue;
	PP.getDiagnostics().setSuppressAllDiagnostics(silent);
	for (MacroInfo *macro : disabled)
		macro->DisableMacro();
}

bool Reader::read(FileID fid, unsigned end)
{
	if (!rawTokens(fid, end))
		return false;
	std::vector<Token> out;
	for (size_t i = 0; i < Raw.size(); i++) {
		auto seen = Seen.find({Raw[i].getLocation(), Raw[i].getLocation()});
		size_t last = seen == Seen.end() ? Raw.size() : callEnd(i);
		if (last < Raw.size()) { // a question that was answered, and is not asked again
			Token value = Raw[i];
			value.startToken();
			value.setKind(tok::numeric_constant);
			PP.CreateString(std::to_string(seen->second), value);
			out.push_back(value);
			i = last;
		} else {
			out.push_back(Raw[i]);
		}
	}
	Raw = std::move(out);
	expand();
	Items.push_back({tok::eof, std::nullopt});
	return Items.size() < MaxItems;
}

// Evaluates until the operand is reached. Values that are not known stay so, but for what a short circuit decides.
class Evaluator
{
      public:
	explicit Evaluator(llvm::ArrayRef<Item> items) : Items(items)
	{
	}
	Liveness run()
	{
		ternary(Liveness::Live, 0);
		return Found.value_or(Liveness::Unsure);
	}

      private:
	static Liveness worse(Liveness here, Value condition, bool passedWhen)
	{
		Liveness there = !condition                        ? Liveness::Unsure
				 : (*condition != 0) == passedWhen ? Liveness::Dead
								   : Liveness::Live;
		return std::max(here, there);
	}
	tok::TokenKind kind() const
	{
		return Items[At].Kind;
	}
	bool done() const
	{
		return Found.has_value();
	}
	// The operand ends here, or the condition is malformed: there is nothing more to read.
	Value stop(Liveness here)
	{
		if (!done())
			Found = kind() == tok::eof ? here : Liveness::Unsure;
		return std::nullopt;
	}
	static int strength(tok::TokenKind kind)
	{
		switch (kind) {
		case tok::pipepipe:
			return 1;
		case tok::ampamp:
			return 2;
		case tok::pipe:
			return 3;
		case tok::caret:
			return 4;
		case tok::amp:
			return 5;
		case tok::equalequal:
		case tok::exclaimequal:
			return 6;
		case tok::less:
		case tok::greater:
		case tok::lessequal:
		case tok::greaterequal:
			return 7;
		case tok::lessless:
		case tok::greatergreater:
			return 8;
		case tok::plus:
		case tok::minus:
			return 9;
		case tok::star:
		case tok::slash:
		case tok::percent:
			return 10;
		default:
			return 0;
		}
	}
	static Value apply(tok::TokenKind kind, Value a, Value b)
	{
		int64_t out;
		if (kind == tok::ampamp)
			return (a && *a == 0) || (b && *b == 0) ? Value(0) : a && b ? Value(1) : Value();
		if (kind == tok::pipepipe)
			return (a && *a != 0) || (b && *b != 0) ? Value(1) : a && b ? Value(0) : Value();
		if (!a || !b)
			return std::nullopt;
		switch (kind) {
		case tok::equalequal:
			return *a == *b;
		case tok::exclaimequal:
			return *a != *b;
		case tok::less:
			return *a < *b;
		case tok::greater:
			return *a > *b;
		case tok::lessequal:
			return *a <= *b;
		case tok::greaterequal:
			return *a >= *b;
		case tok::plus:
			return __builtin_add_overflow(*a, *b, &out) ? Value() : Value(out);
		case tok::minus:
			return __builtin_sub_overflow(*a, *b, &out) ? Value() : Value(out);
		case tok::star:
			return __builtin_mul_overflow(*a, *b, &out) ? Value() : Value(out);
		default: // rare before a look-up
			return std::nullopt;
		}
	}
	Value unary(Liveness here, unsigned depth)
	{
		if (depth > MaxNesting)
			return stop(Liveness::Unsure);
		const Item &item = Items[At];
		Value v;
		switch (item.Kind) {
		case tok::numeric_constant:
			At++;
			return item.Number;
		case tok::l_paren:
			At++;
			v = ternary(here, depth + 1);
			if (kind() != tok::r_paren)
				return stop(here);
			At++;
			return v;
		case tok::exclaim:
			At++;
			v = unary(here, depth + 1);
			return v ? Value(*v == 0) : v;
		case tok::minus:
			At++;
			v = unary(here, depth + 1);
			return v && *v != INT64_MIN ? Value(-*v) : Value();
		case tok::char_constant:
			At++;
			return std::nullopt;
		default:
			return stop(here);
		}
	}
	Value binary(int least, Liveness here, unsigned depth)
	{
		Value left = unary(here, depth);
		for (int s; !done() && (s = strength(kind())) >= least && s > 0;) {
			tok::TokenKind op = kind();
			bool logical = op == tok::ampamp || op == tok::pipepipe;
			At++;
			Liveness there = logical ? worse(here, left, op == tok::pipepipe) : here;
			left = apply(op, left, binary(s + 1, there, depth));
		}
		return left;
	}
	Value ternary(Liveness here, unsigned depth)
	{
		Value condition = binary(1, here, depth);
		if (done() || kind() != tok::question)
			return condition;
		At++;
		Value yes = ternary(worse(here, condition, false), depth + 1);
		if (done() || kind() != tok::colon)
			return stop(here);
		At++;
		Value no = ternary(worse(here, condition, true), depth + 1);
		return !condition ? condition : *condition != 0 ? yes : no;
	}

	static constexpr unsigned MaxNesting = 200;
	llvm::ArrayRef<Item> Items; // the last one is eof
	size_t At = 0;
	std::optional<Liveness> Found;
};

// The operand comes out of a macro: may a short circuit within it pass over the operand?
bool macroDecides(Preprocessor &pp, SourceLocation at)
{
	const SourceManager &sm = pp.getSourceManager();
	for (; at.isMacroID(); at = sm.getImmediateMacroCallerLoc(at)) {
		auto [fid, offset] = sm.getDecomposedSpellingLoc(at);
		StringRef before = sm.getBufferData(fid).take_front(offset);
		size_t line = before.rfind('\n');
		before = before.substr(line == StringRef::npos ? 0 : line);
		for (StringRef word : {"&&", "||", "?"})
			if (before.contains(word))
				return true;
		for (StringRef word : {"and", "or"})
			for (size_t i = before.find(word); i != StringRef::npos; i = before.find(word, i + 1))
				if ((i == 0 || !isWordByte(before[i - 1])) &&
				    before.substr(i).take_while(isWordByte) == word)
					return true;
		// A definition of several lines.
		if (!before.ltrim().starts_with("#"))
			return true;
	}
	return false;
}

} // namespace

Liveness livenessOf(Preprocessor &pp, SourceLocation at, const SeenAnswers &seen)
{
	Reader reader(pp, seen);
	auto [fid, offset] = pp.getSourceManager().getDecomposedExpansionLoc(at);
	if (!reader.read(fid, offset))
		return Liveness::Unsure;
	Liveness found = Evaluator(reader.Items).run();
	return found == Liveness::Live && at.isMacroID() && macroDecides(pp, at) ? Liveness::Unsure : found;
}

} // namespace waybill
