// nogil/platform/bound_method.hpp -- the function that a virtual call would reach now.
//
//   const auto run = bind_virtual(object, &Class::run);   // as long as the object is whole
//   run(&object);                                         // later, in another thread
//
// A virtual call looks the function up when it is made. A thread that makes it while
// the object's destructor is about to begin may find the base's function instead, and
// reads the object's hidden pointer while another thread writes it. Bound early, the
// look-up is over before anybody can begin to destroy.
//
// C++ has no words for this, but the Itanium C++ ABI, which all compilers for Linux
// follow, says where the function is: a pointer to a virtual member function holds the
// offset of its entry in the class's table (one bit of it, here or in the adjustment,
// says that it is virtual), and the object begins with the table's address. (2.3, 2.5)

#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace nogil::platform {

template <class Class>
using BoundMethod = void (*)(Class*);

// `method` must be virtual, and `object` polymorphic from its first byte on.
template <class Class>
BoundMethod<Class> bind_virtual(const Class& object, void (Class::*method)()) noexcept {
  struct Parts {
    std::intptr_t entry;
    std::intptr_t adjustment;
  };
  const char* table;
  std::memcpy(&table, static_cast<const void*>(&object), sizeof table);
  BoundMethod<Class> function;
  std::memcpy(&function, table + (std::bit_cast<Parts>(method).entry & ~std::intptr_t{1}), sizeof function);
  return function;
}

// Calls it. The function is a member function, which `-fsanitize=function` of clang
// takes for another type than that of the pointer.
template <class Class>
#if defined(__clang__)
[[clang::no_sanitize("function", "cfi-icall")]]
#endif
void call_bound(BoundMethod<Class> function, Class* object) {
  function(object);
}

}  // namespace nogil::platform
