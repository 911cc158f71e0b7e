#include "scanner/clang/file_cache.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace waybill
{

using llvm::StringRef;

static constexpr int64_t MaxFileBytes = 256 << 20; // a source file beyond this is not a source file

static int64_t nanoseconds(const timespec &t)
{
	return static_cast<int64_t>(t.tv_sec) * 1000000000 + t.tv_nsec;
}

static wb_stat_id identity(const struct stat &st)
{
	wb_stat_id id = {};
	id.dev = st.st_dev;
	id.ino = st.st_ino;
	id.size = st.st_size;
	id.mtime_ns = nanoseconds(st.st_mtim);
	id.ctime_ns = nanoseconds(st.st_ctim);
	id.mode = st.st_mode;
	return id;
}

static bool same(const wb_stat_id &a, const wb_stat_id &b)
{
	return a.dev == b.dev && a.ino == b.ino && a.size == b.size && a.mtime_ns == b.mtime_ns &&
	       a.ctime_ns == b.ctime_ns && a.mode == b.mode;
}

bool statPath(wb_stat_id &out, const char *path)
{
	struct stat st;
	if (stat(path, &st) != 0)
		return false;
	out = identity(st);
	return true;
}

bool isWordByte(char c)
{
	return isalnum(static_cast<unsigned char>(c)) || c == '_';
}

// May the word at `at` be the name of a directive? Generous: what stands between the start of its line, the '#' and it
// may be white space, spliced lines and comments; too often "yes" costs time only.
static bool mayBeDirectiveName(StringRef text, size_t at)
{
	StringRef before = text.take_front(at).rtrim(" \t\v\f\\\r\n");
	if (before.ends_with("*/"))
		return true;
	if (!before.consume_back("#") && !before.consume_back("%:") && !before.consume_back("?\?="))
		return false;
	before = before.rtrim(" \t\v\f\r");
	return before.empty() || before.ends_with("\n") || before.ends_with("*/");
}

// The line that holds `at`, from its first character that is not white space.
static StringRef lineStart(StringRef text, size_t at)
{
	size_t start = text.take_front(at).rfind('\n');
	return text.substr(start == StringRef::npos ? 0 : start + 1).ltrim(" \t");
}

// Calls `each` with what follows every occurrence of the whole word `word`, and where it is.
template <typename F> static void eachWord(StringRef text, StringRef word, F each)
{
	for (size_t at = text.find(word); at != StringRef::npos; at = text.find(word, at + 1)) {
		size_t end = at + word.size();
		if ((at == 0 || !isWordByte(text[at - 1])) && (end == text.size() || !isWordByte(text[end])))
			each(text.substr(end).ltrim(" \t"), at);
	}
}

static bool takeWord(StringRef &text, StringRef word)
{
	if (!text.starts_with(word) || (text.size() > word.size() && isWordByte(text[word.size()])))
		return false;
	text = text.substr(word.size()).ltrim(" \t");
	return true;
}

// #pragma lines and _Pragma operators that the reduction to directives drops or that change more than tokens.
static uint32_t classifyPragmas(StringRef text)
{
	uint32_t flags = 0;
	eachWord(text, "GCC", [&](StringRef rest, size_t at) {
		StringRef before = text.take_front(at).rtrim(" \t");
		if (before.ends_with("pragma") && !mayBeDirectiveName(text, before.size() - strlen("pragma")))
			return; // a comment speaks of it
		if (takeWord(rest, "dependency"))
			flags |= TextPragmaDependency;
		if (takeWord(rest, "push_options") || takeWord(rest, "pop_options") || takeWord(rest, "reset_options"))
			flags |= TextPragmaTarget;
		if ((takeWord(rest, "target") || takeWord(rest, "optimize")) &&
		    (rest.starts_with("(") || rest.starts_with("\"") || rest.starts_with("\\\"")))
			flags |= TextPragmaTarget;
	});
	eachWord(text, "pragma", [&](StringRef rest, size_t at) {
		if (!takeWord(rest, "clang"))
			return;
		if (takeWord(rest, "dependency"))
			flags |= TextPragmaDependency;
		if (takeWord(rest, "module") && mayBeDirectiveName(text, at)) // not where a comment speaks of it
			flags |= TextModulePragma;
	});
	for (StringRef word : {"push_macro", "pop_macro", "include_alias"})
		eachWord(text, word, [&](StringRef rest, size_t at) {
			StringRef line = lineStart(text, at);
			bool directive = line.consume_front("#") && line.ltrim(" \t").starts_with("pragma");
			if (rest.starts_with("(") && !directive) // a _Pragma, perhaps by a macro
				flags |= TextMacroPragma;
		});
	eachWord(text, "_Pragma", [&](StringRef rest, size_t) {
		if (rest.ltrim(" \t(\"").starts_with("once"))
			flags |= TextMacroPragma;
	});
	return flags;
}

// Is the quote at `at`, which the reduction takes for a digit separator, anything else? The first byte of its word
// tells.
static uint32_t classifyQuote(StringRef text, size_t at)
{
	size_t start = at;
	while (start > 0 && (isWordByte(text[start - 1]) || text[start - 1] == '\'' || text[start - 1] == '.'))
		start--;
	StringRef rest = text.substr(at);
	rest = rest.take_front(rest.find('\n')).rtrim(" \t\v\f\r");
	if (!rest.contains("/*") && !rest.contains("R\"") && !rest.ends_with("\\"))
		return 0; // the mistake ends with the line
	while (start < at && (text[start] == '\'' || text[start] == '.'))
		start++;
	return isdigit(static_cast<unsigned char>(text[start])) ? TextDigitQuote : TextOddQuote;
}

// What is another token in another language.
static uint32_t classifySpelling(StringRef text)
{
	uint32_t flags = 0;
	if (text.contains("%:"))
		flags |= TextOtherHash;
	if (text.contains("//"))
		flags |= TextLineComment;
	for (size_t at = text.find("?\?"); at != StringRef::npos; at = text.find("?\?", at + 1))
		if (at + 2 < text.size() && StringRef("=/'()!<>-").contains(text[at + 2]))
			flags |= TextTrigraph;
	for (size_t at = text.find("R\""); at != StringRef::npos; at = text.find("R\"", at + 1)) {
		size_t start = at;
		while (start > 0 && isWordByte(text[start - 1]))
			start--;
		StringRef prefix = text.slice(start, at);
		if (prefix.empty() || prefix == "L" || prefix == "u" || prefix == "U" || prefix == "u8")
			flags |= TextRawString;
	}
	for (size_t at = text.find('\'', 1); at != StringRef::npos; at = text.find('\'', at + 1))
		if (isxdigit(static_cast<unsigned char>(text[at - 1])) && at + 1 < text.size() &&
		    isWordByte(text[at + 1]))
			flags |= classifyQuote(text, at);
	return flags;
}

static uint32_t classify(StringRef text)
{
	uint32_t flags = 0;
	auto found = [&](TextFlag flag) { return [&flags, flag](StringRef, size_t) { flags |= flag; }; };
	for (StringRef word : {"__DATE__", "__TIME__", "__TIMESTAMP__"})
		eachWord(text, word, found(TextTime));
	eachWord(text, "incbin", found(TextIncbin));
	eachWord(text, "include", [&](StringRef rest, size_t at) {
		if (at == 0 || text[at - 1] != '.')
			return;
		flags |= TextAsmInclude;
		if (rest.starts_with("\\\"")) // inline assembly: asm(".include \"x\"")
			flags |= TextIncbin;
	});
	for (auto [word, flag] : {std::pair<StringRef, TextFlag>("embed", TextEmbed),
				  {"elifdef", TextElifdef},
				  {"elifndef", TextElifdef},
				  {"line", TextLine}})
		eachWord(text, word, [&, which = flag](StringRef, size_t at) {
			if (mayBeDirectiveName(text, at))
				flags |= which;
		});
	if (text.contains("# 1 \"") || text.contains("#1 \""))
		flags |= TextLine;
	if (text.contains("ragma"))
		flags |= classifyPragmas(text);
	return flags | classifySpelling(text);
}

uint32_t unsoundFor(const clang::LangOptions &lang)
{
	// #embed is not among the directives that the reduction keeps.
	uint32_t flags = TextEmbed | TextOtherHash | TextOddQuote | TextNewToken;
	if (lang.Trigraphs)
		flags |= TextTrigraph;
	if (!lang.LineComment)
		flags |= TextLineComment;
	if (!lang.RawStringLiterals || !(lang.CPlusPlus11 || lang.C11)) // R"" and u8R"" are tokens of their own
		flags |= TextRawString;
	if (!(lang.CPlusPlus14 || lang.C23))
		flags |= TextDigitQuote;
	return flags;
}

// Tokens of C++11 and later that the reduction takes for two, since it knows no language.
static bool hasNewToken(StringRef text, llvm::ArrayRef<clang::dependency_directives_scan::Token> tokens)
{
	for (size_t i = 1; i < tokens.size(); i++) {
		const auto &word = tokens[i - 1], &quoted = tokens[i];
		if (word.Offset + word.Length != quoted.Offset || quoted.Offset >= text.size())
			continue;
		char quote = text[quoted.Offset], first = text[word.Offset];
		if ((quote == '\'' && isdigit(static_cast<unsigned char>(first))) ||
		    ((quote == '\'' || quote == '"') && word.Length <= 3 && (first == 'u' || first == 'U')))
			return true;
	}
	return false;
}

const FileText::Analysis &FileText::analysis()
{
	std::call_once(Once, [this] {
		StringRef text = Bytes;
		What.Flags = classify(text);
		What.LineStart.push_back(0);
		for (const char *p = Bytes.data(), *end = p + Bytes.size();
		     (p = static_cast<const char *>(memchr(p, '\n', static_cast<size_t>(end - p)))) != nullptr;)
			What.LineStart.push_back(static_cast<uint32_t>(++p - Bytes.data()));
		What.Reduced = (What.Flags & (TextEmbed | TextOtherHash | TextOddQuote)) == 0 &&
			       !clang::scanSourceForDependencyDirectives(text, What.Tokens, What.Directives);
		if (What.Reduced && hasNewToken(text, What.Tokens))
			What.Flags |= TextNewToken;
	});
	return What;
}

uint32_t FileText::lineIn(const std::vector<uint32_t> &starts, uint32_t offset)
{
	return static_cast<uint32_t>(std::upper_bound(starts.begin(), starts.end(), offset) - starts.begin());
}

bool FileText::directives(llvm::ArrayRef<clang::dependency_directives_scan::Directive> &out, uint32_t unsound)
{
	const Analysis &a = analysis();
	out = a.Directives;
	return a.Reduced && (a.Flags & unsound) == 0;
}

// Read all of `path`; the identity is that of the very bytes read. Retries while somebody writes.
static std::shared_ptr<FileText> readFile(const char *path)
{
	for (int attempt = 0; attempt < 4; attempt++) {
		int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
		if (fd < 0)
			return nullptr;
		struct stat before, after;
		if (fstat(fd, &before) != 0 || !S_ISREG(before.st_mode) || before.st_size > MaxFileBytes) {
			close(fd);
			return nullptr;
		}
		std::string bytes(static_cast<size_t>(before.st_size), '\0');
		size_t got = 0;
		while (got < bytes.size()) {
			ssize_t n = read(fd, &bytes[got], bytes.size() - got);
			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				break;
			got += static_cast<size_t>(n);
		}
		bool ok = fstat(fd, &after) == 0 && got == bytes.size();
		close(fd);
		if (ok && same(identity(before), identity(after)))
			return std::make_shared<FileText>(std::move(bytes), identity(after));
	}
	return nullptr;
}

std::shared_ptr<FileText> FileCache::get(const char *path, const wb_stat_id &seen, int64_t racyNs, bool *fromDisk)
{
	*fromDisk = false;
	{
		std::lock_guard<std::mutex> hold(Lock);
		auto it = Map.find(Key{seen.dev, seen.ino});
		if (it != Map.end() && same(it->second->Id, seen))
			return it->second;
	}
	timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	std::shared_ptr<FileText> text = readFile(path);
	if (!text)
		return nullptr;
	*fromDisk = true;
	// A write within the clock's granularity would leave the same times behind.
	int64_t touched = std::max(text->Id.mtime_ns, text->Id.ctime_ns);
	if (touched + racyNs < nanoseconds(now))
		keep(text);
	return text;
}

void FileCache::keep(const std::shared_ptr<FileText> &text)
{
	std::lock_guard<std::mutex> hold(Lock);
	if (Held + text->cost() > Limit) {
		Map.clear(); // requests under way hold what they use
		Held = 0;
	}
	std::shared_ptr<FileText> &slot = Map[Key{text->Id.dev, text->Id.ino}];
	if (slot)
		Held -= slot->cost();
	slot = text;
	Held += text->cost();
}

} // namespace waybill
