// nogil/multiprocessing/detail/exception_codec.hpp -- exceptions to bytes, and back.
//
// One of std's or nogil's comes back as itself, with its text and what is nested in it
// (std::throw_with_nested), but for the cause of a BrokenExecutor. Any other comes back as RemoteError, which holds its
// text and the name of its type: rebuilding it would need its constructors.

#pragma once

#include <cxxabi.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <typeinfo>
#include <utility>
#include <variant>
#include <vector>

#include "nogil/errors.hpp"
#include "nogil/multiprocessing/errors.hpp"
#include "nogil/multiprocessing/serialize.hpp"

namespace nogil::multiprocessing::detail {

// ---- The types that are known --------------------------------------------------------

// Makes one, which holds `inner` if that is not null.
template <class E>
[[noreturn]] void throw_with(const E& error, const std::exception_ptr& inner) {
  if (inner == nullptr) throw error;
  try {
    std::rethrow_exception(inner);
  } catch (...) {
    std::throw_with_nested(error);
  }
}

struct KnownException {
  const std::type_info& type;
  void (*rethrow)(const std::string& what, const std::exception_ptr& inner);
};

template <class E>
constexpr KnownException known() noexcept {
  return {typeid(E), [](const std::string& what, const std::exception_ptr& inner) {
            if constexpr (std::is_constructible_v<E, const std::string&>) throw_with(E(what), inner);
            else throw_with(E(), inner);
          }};
}

// What travels is the place in this table: both sides run the same program.
inline constinit const KnownException kKnownExceptions[] = {
    known<std::exception>(),
    known<std::logic_error>(),
    known<std::invalid_argument>(),
    known<std::domain_error>(),
    known<std::length_error>(),
    known<std::out_of_range>(),
    known<std::runtime_error>(),
    known<std::range_error>(),
    known<std::overflow_error>(),
    known<std::underflow_error>(),
    known<std::bad_alloc>(),
    known<std::bad_array_new_length>(),
    known<std::bad_cast>(),
    known<std::bad_typeid>(),
    known<std::bad_exception>(),
    known<std::bad_variant_access>(),
    known<std::bad_optional_access>(),
    known<ValueError>(),
    known<Error>(),
    known<RuntimeError>(),
    known<TimeoutError>(),
    known<CancelledError>(),
    known<InvalidStateError>(),
    known<BrokenBarrierError>(),
    known<BrokenExecutor>(),
    known<BrokenThreadPool>(),
    known<BrokenProcessPool>(),
    known<DeadlockError>(),
    known<Full>(),
    known<Empty>(),
    known<ShutDown>(),
    known<OwnerDied>(),
    known<EndOfFile>(),
    known<FileExistsError>(),
    known<FileNotFoundError>(),
    known<DecodeError>(),
};
inline constexpr std::size_t kHowManyKnown = sizeof kKnownExceptions / sizeof *kKnownExceptions;

inline std::string readable_name(const char* mangled) {
  char* const readable = abi::__cxa_demangle(mangled, nullptr, nullptr, nullptr);
  std::string name = readable != nullptr ? readable : mangled;
  std::free(readable);
  return name;
}

// The type's name, without the wrapper that std::throw_with_nested() puts round it.
inline std::string thrown_name(const std::type_info& type, bool nested) {
  std::string name = readable_name(type.name());
  if (!nested) return name;
  const auto open = name.find('<');
  const bool wrapped = open != std::string::npos && name.compare(0, 5, "std::") == 0 && name.back() == '>';
  return wrapped ? name.substr(open + 1, name.size() - open - 2) : name;
}

// ---- Out -----------------------------------------------------------------------------

enum class ExceptionForm : std::uint8_t { kKnown, kSystem, kRemote, kWorkerDied, kGroup };

inline constexpr int kMostNestedExceptions = 64;

inline void save_exception(OutputArchive& out, const std::exception_ptr& exception, int depth = 0);

inline void save_nested(OutputArchive& out, const std::nested_exception* holder, int depth) {
  const std::exception_ptr inner = holder != nullptr ? holder->nested_ptr() : nullptr;
  const bool goes = inner != nullptr && depth < kMostNestedExceptions;
  out(goes);
  if (goes) save_exception(out, inner, depth + 1);
}

inline void save_group(OutputArchive& out, const ExceptionGroup& group, int depth) {
  const bool fits = depth < kMostNestedExceptions;
  out(ExceptionForm::kGroup, group.message(), std::uint64_t{fits ? group.exceptions().size() : 0});
  for (const std::exception_ptr& one : group.exceptions()) {
    if (fits) save_exception(out, one, depth + 1);
  }
}

inline void save_one(OutputArchive& out, const std::exception& error, const std::nested_exception* holder, int depth) {
  const std::string what = error.what();
  const std::string name = thrown_name(typeid(error), holder != nullptr);
  const auto is = [&](const std::type_info& type) {
    return holder == nullptr ? typeid(error) == type : name == readable_name(type.name());
  };
  if (const auto* const remote = dynamic_cast<const RemoteError*>(&error)) {
    return static_cast<void>(out(ExceptionForm::kRemote, what, remote->type_name(), remote->pid()));
  }
  if (name == "std::system_error") {
    const auto& code = dynamic_cast<const std::system_error&>(error).code();
    if (code.category() == std::generic_category() || code.category() == std::system_category()) {
      return static_cast<void>(
          out(ExceptionForm::kSystem, what, code.value(), code.category() == std::generic_category()));
    }
  }
  if (is(typeid(ExceptionGroup))) return save_group(out, dynamic_cast<const ExceptionGroup&>(error), depth);
  if (is(typeid(WorkerDied))) {
    const auto& died = dynamic_cast<const WorkerDied&>(error);
    const int exitcode = died.signal() ? -*died.signal() : *died.exit_code();
    return static_cast<void>(out(ExceptionForm::kWorkerDied, what, died.pid(), exitcode));
  }
  for (std::size_t index = 0; index < kHowManyKnown; ++index) {
    if (!is(kKnownExceptions[index].type)) continue;
    return static_cast<void>(out(ExceptionForm::kKnown, what, static_cast<std::uint8_t>(index)));
  }
  out(ExceptionForm::kRemote, what, name, static_cast<int>(::getpid()));
}

inline void save_exception(OutputArchive& out, const std::exception_ptr& exception, int depth) {
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& error) {
    const auto* const holder = dynamic_cast<const std::nested_exception*>(&error);
    save_one(out, error, holder, depth);
    save_nested(out, holder, depth);
  } catch (...) {
    const std::type_info* const type = abi::__cxa_current_exception_type();
    const std::string name = type != nullptr ? readable_name(type->name()) : "unknown";
    out(ExceptionForm::kRemote, "an exception of type " + name, name, static_cast<int>(::getpid()));
    save_nested(out, nullptr, depth);
  }
}

// ---- In ------------------------------------------------------------------------------

// A text that std::system_error makes anew: its code's own, and what stood before that.
inline std::system_error rebuild_system_error(const std::error_code& code, const std::string& what) {
  const std::string usual = code.message();
  if (what == usual || what.size() < usual.size() + 2) return std::system_error(code);
  return std::system_error(code, what.substr(0, what.size() - usual.size() - 2));  // ": " lies between
}

// Throws DecodeError if there is no exception in these bytes.
inline std::exception_ptr load_exception(InputArchive& in, int depth = 0) {
  const auto form = in.get<ExceptionForm>();
  const auto what = in.get<std::string>();
  const auto inner = [&]() -> std::exception_ptr {
    if (!in.get<bool>()) return nullptr;
    if (depth == kMostNestedExceptions) throw_malformed("serialize: exceptions are nested too deep");
    return load_exception(in, depth + 1);
  };
  const auto caught = [](auto&& thrower) {
    try {
      thrower();
    } catch (...) {
      return std::current_exception();
    }
    return std::exception_ptr();
  };
  switch (form) {
    case ExceptionForm::kKnown: {
      const auto index = in.get<std::uint8_t>();
      if (index >= kHowManyKnown) throw_malformed("serialize: there is no such exception");
      const std::exception_ptr nested = inner();
      return caught([&] { kKnownExceptions[index].rethrow(what, nested); });
    }
    case ExceptionForm::kSystem: {
      const int value = in.get<int>();
      const std::error_code code(value, in.get<bool>() ? std::generic_category() : std::system_category());
      const std::exception_ptr nested = inner();
      return caught([&] { throw_with(rebuild_system_error(code, what), nested); });
    }
    case ExceptionForm::kWorkerDied: {
      const int pid = in.get<int>();
      const int exitcode = in.get<int>();
      const std::exception_ptr nested = inner();
      return caught([&] { throw_with(WorkerDied(what, pid, exitcode), nested); });
    }
    case ExceptionForm::kGroup: {
      std::vector<std::exception_ptr> all;
      const std::size_t count = in.read_count();
      if (count != 0 && depth == kMostNestedExceptions) throw_malformed("serialize: exceptions are nested too deep");
      for (std::size_t left = count; left > 0; --left) all.push_back(load_exception(in, depth + 1));
      if (all.empty()) all.push_back(std::make_exception_ptr(Error("exceptions nested too deep were left out")));
      const std::exception_ptr nested = inner();
      return caught([&] { throw_with(ExceptionGroup(what, std::move(all)), nested); });
    }
    case ExceptionForm::kRemote: {
      auto name = in.get<std::string>();
      const int pid = in.get<int>();
      const std::exception_ptr nested = inner();
      return caught([&] { throw_with(RemoteError(what, std::move(name), pid), nested); });
    }
  }
  throw_malformed("serialize: there is no such exception");
}

}  // namespace nogil::multiprocessing::detail
