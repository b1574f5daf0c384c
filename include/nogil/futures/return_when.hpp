// nogil/futures/return_when.hpp -- ReturnWhen: when wait() has waited enough.
//
// FIRST_COMPLETED   at least one is done, in whatever way
// FIRST_EXCEPTION   at least one has thrown, or all are done (as one that was cancelled is)
// ALL_COMPLETED     all are done
//
// For the futures of threads (futures/wait.hpp) and for tasks (asyncio/wait.hpp).

#pragma once

namespace nogil {

enum class ReturnWhen { FIRST_COMPLETED, FIRST_EXCEPTION, ALL_COMPLETED };

inline constexpr ReturnWhen FIRST_COMPLETED = ReturnWhen::FIRST_COMPLETED;
inline constexpr ReturnWhen FIRST_EXCEPTION = ReturnWhen::FIRST_EXCEPTION;
inline constexpr ReturnWhen ALL_COMPLETED = ReturnWhen::ALL_COMPLETED;

}  // namespace nogil
