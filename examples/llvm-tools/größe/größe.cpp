// objsize FILE...: the sections of object files and executables, largest first.
#include "vorspann_größe.h"

#include "llvm/Object/Binary.h"

using namespace llvm;

Expected<StringMap<uint64_t>> groesse::sections(StringRef Path) {
  Expected<object::OwningBinary<object::ObjectFile>> File = object::ObjectFile::createObjectFile(Path);
  if (!File)
    return File.takeError();
  StringMap<uint64_t> Out;
  for (const object::SectionRef &S : File->getBinary()->sections()) {
    Expected<StringRef> Name = S.getName();
    if (!Name)
      return Name.takeError();
    if (!Name->empty())
      Out[*Name] += S.getSize();
  }
  return std::move(Out);
}

int main(int argc, char **argv) {
  for (int I = 1; I < argc; ++I) {
    auto Sizes = groesse::sections(argv[I]);
    if (!Sizes)
      return toolkit::fail("objsize", Sizes.takeError());
    toolkit::Table T({"section", "bytes"});
    uint64_t Total = 0;
    std::vector<StringRef> Names(Sizes->keys().begin(), Sizes->keys().end());
    llvm::sort(Names);
    for (StringRef N : Names) {
      T.add(N, {(*Sizes)[N]});
      Total += (*Sizes)[N];
    }
    T.sortByNumber(0);
    T.print(outs());
    outs() << argv[I] << ": " << groesse::äquivalent(Total) << '\n';
  }
  return 0;
}
