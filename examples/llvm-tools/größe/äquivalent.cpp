#include "vorspann_größe.h"

#include "llvm/Support/FormatVariadic.h"

std::string groesse::äquivalent(uint64_t Bytes) {
  static const char *const Units[] = {"B", "KiB", "MiB", "GiB"};
  double N = static_cast<double>(Bytes);
  unsigned U = 0;
  for (; N >= 1024 && U + 1 < std::size(Units); ++U)
    N /= 1024;
  return llvm::formatv("{0:f1} {1}", N, Units[U]).str();
}
