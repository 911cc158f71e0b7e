// file_cache.h — file contents with their directives, shared by all requests of a process and keyed by what stat says
// of a file, so an edited file is another entry. Thread-safe.
#ifndef WB_SCANNER_CLANG_FILE_CACHE_H
#define WB_SCANNER_CLANG_FILE_CACHE_H

#include "clang/Basic/LangOptions.h"
#include "clang/Lex/DependencyDirectivesScanner.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

extern "C" {
#include "scanner/graph.h"
}

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace waybill
{

// What the text of a file holds, found once by looking at its bytes.
enum TextFlag : uint32_t {
	TextTime = 1,          // __DATE__, __TIME__, __TIMESTAMP__
	TextIncbin = 2,        // the word incbin, or .include of an assembler file name in a string
	TextAsmInclude = 4,    // .include at the start of a statement
	TextEmbed = 8,         // a directive embed
	TextPragmaTarget = 16, // #pragma GCC target and relatives
	TextPragmaDependency = 32,
	TextMacroPragma = 64, // push_macro, pop_macro or once in a _Pragma
	TextElifdef = 128,
	TextModulePragma = 256, // #pragma clang module
	TextLine = 512,         // #line, or # 1 "x"
	// What the reduction to directives reads otherwise than the compiler may; see unsoundFor().
	TextOtherHash = 1024, // a digraph for #
	TextTrigraph = 2048,
	TextRawString = 4096,    // R"
	TextLineComment = 8192,  // two slashes
	TextDigitQuote = 16384,  // 1'0, where C and C++11 start a character constant
	TextOddQuote = 1u << 15, // u8'a', case'a': taken for a digit separator
	TextNewToken = 1u << 16, // in a directive: 1'000, u'x', u8"x"
};

// The flags of texts that cannot be reduced to directives in a language.
uint32_t unsoundFor(const clang::LangOptions &lang);

// The bytes of one file. Immutable but for the analysis, which is made once when first asked for.
class FileText
{
      public:
	FileText(std::string bytes, const wb_stat_id &id) : Id(id), Bytes(std::move(bytes))
	{
	}

	const wb_stat_id Id;
	llvm::StringRef bytes() const
	{
		return Bytes;
	}
	uint32_t flags()
	{
		return analysis().Flags;
	}
	uint32_t lineOf(uint32_t offset)
	{
		return lineIn(analysis().LineStart, offset);
	}
	// False when the text cannot be reduced to directives and must be lexed in full: it has one of the flags
	// `unsound`, or the reduction fails.
	bool directives(llvm::ArrayRef<clang::dependency_directives_scan::Directive> &out, uint32_t unsound);
	size_t cost() const
	{
		return 3 * Bytes.size() + 1024;
	} // with the tokens of a file full of directives

      private:
	struct Analysis {
		uint32_t Flags = 0;
		bool Reduced = false;
		std::vector<uint32_t> LineStart;
		llvm::SmallVector<clang::dependency_directives_scan::Token, 0> Tokens;
		llvm::SmallVector<clang::dependency_directives_scan::Directive, 0> Directives;
	};
	const Analysis &analysis();
	static uint32_t lineIn(const std::vector<uint32_t> &starts, uint32_t offset);

	std::string Bytes;
	std::once_flag Once;
	Analysis What;
};

class FileCache
{
      public:
	explicit FileCache(uint64_t limit) : Limit(limit)
	{
	}

	// The text of `path` as it is now. `seen` is what stat said just before: equal to a cached file's, nothing is
	// read. Null: it cannot be read. `*fromDisk` says whether it was.
	std::shared_ptr<FileText> get(const char *path, const wb_stat_id &seen, int64_t racyNs, bool *fromDisk);

      private:
	struct Key {
		uint64_t Dev, Ino;
		bool operator==(const Key &o) const
		{
			return Dev == o.Dev && Ino == o.Ino;
		}
	};
	struct KeyHash {
		size_t operator()(const Key &k) const
		{
			return std::hash<uint64_t>()(k.Ino * 1000003u ^ k.Dev);
		}
	};
	void keep(const std::shared_ptr<FileText> &text);

	const uint64_t Limit;
	std::mutex Lock;
	uint64_t Held = 0;
	std::unordered_map<Key, std::shared_ptr<FileText>, KeyHash> Map;
};

bool isWordByte(char c); // part of an identifier

// stat(2) of `path`, links followed; false: it does not exist or cannot be reached.
bool statPath(wb_stat_id &out, const char *path);

} // namespace waybill

#endif
