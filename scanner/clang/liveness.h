// liveness.h — is an operand of a condition looked at, or does a short circuit pass over it? gcc looks for no file in
// an operand that it passes over; clang does, and does not tell. Pure but for what the preprocessor knows of macros.
#ifndef WB_SCANNER_CLANG_LIVENESS_H
#define WB_SCANNER_CLANG_LIVENESS_H

#include "clang/Lex/Preprocessor.h"

namespace waybill
{

enum class Liveness { Live, Unsure, Dead };

// What questions were answered (__has_include: found), by where they stand and where their name is spelled, which is
// another place when it comes out of a macro.
using SeenAnswers = llvm::DenseMap<std::pair<clang::SourceLocation, clang::SourceLocation>, uint32_t>;

// Of the operand whose first token (or the macro that it comes from) is at `at`, in an #if or #elif. Unsure: the
// condition before it holds more than this understands: unsigned numbers, characters. What stands before it is expanded
// again, by `pp`: its callbacks answer the questions in it once more.
Liveness livenessOf(clang::Preprocessor &pp, clang::SourceLocation at, const SeenAnswers &seen);

} // namespace waybill

#endif
