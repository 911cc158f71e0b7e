#include "toolkit.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"

#include <algorithm>

using namespace llvm;

void toolkit::Table::add(StringRef Name, std::vector<uint64_t> Numbers) {
  Numbers.resize(Headings.empty() ? 0 : Headings.size() - 1);
  Rows.push_back({Name.take_front(TOOLKIT_MAX_NAME_WIDTH).str(), std::move(Numbers)});
}

void toolkit::Table::sortByNumber(size_t Column) {
  llvm::sort(Rows, [Column](const Row &A, const Row &B) {
    uint64_t X = A.Numbers.at(Column), Y = B.Numbers.at(Column);
    return X != Y ? X > Y : A.Name < B.Name;
  });
}

void toolkit::Table::print(raw_ostream &OS) const {
  if (Headings.empty())
    return;
  size_t Width = Headings.front().size();
  for (const Row &R : Rows)
    Width = std::max(Width, R.Name.size());
  OS << left_justify(Headings.front(), static_cast<unsigned>(Width));
  for (const std::string &H : drop_begin(Headings))
    OS << "  " << right_justify(H, 10);
  OS << '\n';
  for (const Row &R : Rows) {
    OS << left_justify(R.Name, static_cast<unsigned>(Width));
    for (uint64_t N : R.Numbers)
      OS << "  " << format("%10llu", static_cast<unsigned long long>(N));
    OS << '\n';
  }
}
