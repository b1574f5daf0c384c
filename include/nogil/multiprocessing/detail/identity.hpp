// nogil/multiprocessing/detail/identity.hpp -- the name of a piece of code, good in another process.
//
// A callable's type stands for its code. For each type that is sent there is one Descriptor,
// a constant among the program's data, and what travels is
//
//   the module that it lies in, how far into it, and a hash of the type's name.
//
// The receiver jumps only if it has a module of the same contents, the place is inside its
// data, the magic number is there, and the hash is the same: a program that was built anew
// since gets an error, never a jump to somewhere.
//
// A pointer to a function travels likewise; there the place must be in executable code, and a
// check sum be right.
//
// Threads    Everything from any thread.
// Cost       The first time for each type a look-up; after that two loads. On the wire 33
//            bytes, and the path of a library for code that is not the program's own.
// Source     Ray once sent offsets of functions unchecked, and gave it up. The checks are
//            what makes it sound.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "nogil/errors.hpp"
#include "nogil/multiprocessing/detail/module.hpp"
#include "nogil/multiprocessing/serialize.hpp"

namespace nogil::multiprocessing::detail {

// Tells types apart whose descriptors might lie at the same place; not more than that: two
// lambdas of one function may have one name.
template <class T>
consteval std::uint64_t type_hash() {
  std::uint64_t hash = 0xcbf2'9ce4'8422'2325;  // FNV-1a
  for (const char c : std::string_view(__PRETTY_FUNCTION__)) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100'0000'01b3;
  }
  return hash;
}

// `in` holds what the callable's type packed; results go to `out`. Throws what the
// callable throws, and DecodeError.
using Run = void (*)(InputArchive& in, OutputArchive& out);

struct Descriptor {
  static constexpr std::uint64_t kMagic = 0x6e6f'6769'6c2f'7461;

  std::uint64_t magic;
  std::uint64_t type;
  Run run;
  std::atomic<const Module*> home{nullptr};  // where it lies, once somebody has asked
};

[[noreturn, gnu::noinline, gnu::cold]] inline void throw_unknown_code(const char* what) {
  throw RuntimeError(std::string("multiprocessing: ") + what +
                     ": both processes must run the same program, with the same libraries");
}

// ---- Places in a module --------------------------------------------------------------

inline void save_place(OutputArchive& out, const Module& module, const void* address) {
  out.write_raw(module.id);
  out.write_raw(std::uint64_t{reinterpret_cast<std::uintptr_t>(address) - module.base});
  if (module.path.empty()) out.write_raw(std::uint8_t{0});
  else out(std::uint8_t{1}, module.path);
}

struct Place {
  const Module* module;
  std::uintptr_t address;
};

inline Place load_place(InputArchive& in) {
  const auto id = in.read_raw<ModuleId>();
  const auto offset = in.read_raw<std::uint64_t>();
  std::string path;
  if (load_flag(in)) path = in.get<std::string>();
  const Module* const module = module_with(id, path);
  if (module == nullptr) {
    throw_unknown_code(path.empty() ? "the program of the sender is another" : ("there is no " + path).c_str());
  }
  return {module, module->base + static_cast<std::uintptr_t>(offset)};
}

// ---- Descriptors -----------------------------------------------------------------------

inline void save_descriptor(OutputArchive& out, Descriptor& descriptor) {
  const Module* module = descriptor.home.load(std::memory_order_acquire);
  if (module == nullptr) [[unlikely]] {
    module = module_of(&descriptor);
    if (module == nullptr) throw_unknown_code("a callable's code lies in no file");
    descriptor.home.store(module, std::memory_order_release);
  }
  save_place(out, *module, &descriptor);
  out.write_raw(descriptor.type);
}

// Whether the data at a place that somebody named are those of a descriptor. They may be of
// anything, or of nothing that has a name, which AddressSanitizer would take for a mistake.
[[gnu::no_sanitize_address]] inline bool is_descriptor(std::uintptr_t address, std::uint64_t type) noexcept {
  const auto* const descriptor = pointer_to<const Descriptor>(address);
  return descriptor->magic == Descriptor::kMagic && descriptor->type == type;
}

inline const Descriptor& load_descriptor(InputArchive& in) {
  const Place place = load_place(in);
  const auto type = in.read_raw<std::uint64_t>();
  if (place.address % alignof(Descriptor) != 0 ||
      !place.module->holds(place.address, sizeof(Descriptor), PF_R | PF_W) || !is_descriptor(place.address, type)) {
    throw_unknown_code("there is no such callable at this place");
  }
  return *pointer_to<const Descriptor>(place.address);
}

// ---- Functions -------------------------------------------------------------------------

// Nothing in the code says where a function begins. So its place is sent with this, and a
// frame that was damaged is found out; nobody is kept from forging it.
inline std::uint64_t seal_of(const Module& module, std::uintptr_t address) noexcept {
  std::uint64_t seal = 0xcbf2'9ce4'8422'2325;
  for (const std::uint64_t part : {module.id.low, module.id.high, std::uint64_t{address - module.base}}) {
    seal = (seal ^ part) * 0x9e37'79b9'7f4a'7c15;
    seal ^= seal >> 32;
  }
  return seal;
}

template <class Function>
void save_function(OutputArchive& out, Function* function) {
  if (function == nullptr) throw ValueError("multiprocessing: the function is null");
  const auto* const address = reinterpret_cast<const void*>(function);
  const Module* const module = module_of(address);
  if (module == nullptr) throw_unknown_code("a function lies in no file");
  save_place(out, *module, address);
  out.write_raw(seal_of(*module, reinterpret_cast<std::uintptr_t>(address)));
}

template <class Function>
Function* load_function(InputArchive& in) {
  const Place place = load_place(in);
  const auto seal = in.read_raw<std::uint64_t>();
  if (!place.module->holds(place.address, 1, PF_X) || seal != seal_of(*place.module, place.address)) {
    throw_unknown_code("there is no function at this place");
  }
  return pointer_to<Function>(place.address);
}

}  // namespace nogil::multiprocessing::detail
