// nogil/multiprocessing/errors.hpp -- what can go wrong between processes, and the name nogil::mp.
//
// The classes are those of nogil/errors.hpp; nogil::mp::TimeoutError is nogil::TimeoutError.
//
// Python   multiprocessing.TimeoutError; the others are builtin or concurrent.futures' there.

#pragma once

#include "nogil/errors.hpp"

namespace nogil {

namespace multiprocessing {

using nogil::BrokenProcessPool;
using nogil::DecodeError;
using nogil::EndOfFile;
using nogil::OwnerDied;
using nogil::RemoteError;
using nogil::TimeoutError;
using nogil::WorkerDied;

}  // namespace multiprocessing

namespace mp = multiprocessing;

}  // namespace nogil
