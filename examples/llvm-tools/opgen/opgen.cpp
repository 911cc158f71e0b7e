// Writes the table of LLVM's instructions as X-macros: OPCODE(number, name, kind).
#include <cstdio>
#include <cstring>

namespace {

struct Opcode {
  unsigned Number;
  const char *Name;
  const char *Kind;
};

const Opcode Table[] = {
#define HANDLE_TERM_INST(N, OPC, CLASS) {N, #OPC, "terminator"},
#define HANDLE_UNARY_INST(N, OPC, CLASS) {N, #OPC, "unary"},
#define HANDLE_BINARY_INST(N, OPC, CLASS) {N, #OPC, "binary"},
#define HANDLE_MEMORY_INST(N, OPC, CLASS) {N, #OPC, "memory"},
#define HANDLE_CAST_INST(N, OPC, CLASS) {N, #OPC, "cast"},
#define HANDLE_FUNCLETPAD_INST(N, OPC, CLASS) {N, #OPC, "funclet pad"},
#define HANDLE_OTHER_INST(N, OPC, CLASS) {N, #OPC, "other"},
#define HANDLE_USER_INST(N, OPC, CLASS) {N, #OPC, "other"},
#include "llvm/IR/Instruction.def"
};

} // namespace

int main(int argc, char **argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: opgen OUTPUT\n");
    return 2;
  }
  std::FILE *Out = std::fopen(argv[1], "w");
  if (!Out) {
    std::perror(argv[1]);
    return 1;
  }
  std::fprintf(Out, "// Made by opgen. OPCODE(number, name, kind)\n");
  for (const Opcode &Op : Table)
    if (std::strncmp(Op.Name, "UserOp", 6) != 0)
      std::fprintf(Out, "OPCODE(%u, %s, \"%s\")\n", Op.Number, Op.Name, Op.Kind);
  std::fprintf(Out, "#undef OPCODE\n");
  return std::fclose(Out) == 0 ? 0 : 1;
}
