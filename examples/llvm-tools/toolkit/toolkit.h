// What the tools share: reading input files and printing tables.
#ifndef TOOLKIT_TOOLKIT_H
#define TOOLKIT_TOOLKIT_H

#include "table_limits.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace toolkit {

// Read textual IR or bitcode. The error names the file and, for textual IR, the line.
llvm::Expected<std::unique_ptr<llvm::Module>> readModule(llvm::StringRef Path, llvm::LLVMContext &Context);

// Print `E` to stderr with the tool's name before it; the result is the tool's exit code.
int fail(llvm::StringRef Tool, llvm::Error E);

// Rows of a name and some numbers, printed in columns.
class Table {
public:
  explicit Table(std::vector<std::string> Headings) : Headings(std::move(Headings)) {}

  void add(llvm::StringRef Name, std::vector<uint64_t> Numbers);
  void sortByNumber(size_t Column);
  void print(llvm::raw_ostream &OS) const;

private:
  struct Row {
    std::string Name;
    std::vector<uint64_t> Numbers;
  };
  std::vector<std::string> Headings;
  std::vector<Row> Rows;
};

} // namespace toolkit

#endif
