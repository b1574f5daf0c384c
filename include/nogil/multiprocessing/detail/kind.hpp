// nogil/multiprocessing/detail/kind.hpp -- which types can be sent, and in which manner.
//
// Types are told by what they can do, not by their names: so this needs none of the
// headers that define them, and a map of another library is a map.

#pragma once

#include <concepts>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace nogil::multiprocessing {

class OutputArchive;
class InputArchive;

namespace detail {

// Specialised for types that know how to send themselves, in two static functions:
//   static void save(OutputArchive&, const T&);
//   static T load(InputArchive&);
template <class T>
struct Adapter;

enum class Kind {
  kRefused,
  kAdapted,     // Adapter<T>
  kMember,      // value.serialize(archive)
  kFree,        // serialize(archive, value)
  kBool,        //
  kOptional,    //
  kVariant,     //
  kUnique,      // std::unique_ptr
  kPath,        // std::filesystem::path
  kTuple,       // pair, tuple, and an array of what is not plain
  kCArray,      // T[n] of what is not plain
  kMap,         //
  kSet,         //
  kContiguous,  // vector and string of plain elements: one memcpy
  kSequence,    // whatever else grows at its end
  kForward,     // std::forward_list
  kPlain,       // as it lies in memory
};

template <class T>
concept Adapted = requires(OutputArchive& out, InputArchive& in, const T& value) {
  Adapter<T>::save(out, value);
  Adapter<T>::load(in);
};

// An Adapter may also have
//   static void load_into(InputArchive&, T&);
// for what stands for something else, and may come as a temporary.
template <class T>
concept LoadedInPlace = requires(InputArchive& in, T& value) {
  Adapter<T>::load_into(in, value);
};

template <class T>
concept HasMember = requires(T& value, OutputArchive& archive) {
  value.serialize(archive);
};

template <class T>
concept HasFree = requires(T& value, OutputArchive& archive) {
  serialize(archive, value);
};

template <class T>
concept OptionalLike = requires(T& value, const T& constant, typename T::value_type element) {
  constant.has_value();
  *constant;
  value.emplace(std::move(element));
  value.reset();
}
&&!requires(const T& value) {
  value.error();
};

template <class T>
concept VariantLike = requires(const T& value) {
  value.index();
  value.valueless_by_exception();
};

template <class T>
concept UniqueLike = requires(T& value) {
  typename T::element_type;
  typename T::deleter_type;
  value.get();
  value.release();
  *value;  // not of an array, whose size nobody knows
}
&&std::is_empty_v<typename T::deleter_type>;

template <class T>
concept PathLike = requires(const T& value) {
  typename T::string_type;
  value.native();
  value.lexically_normal();
};

template <class T>
concept TupleLike = requires {
  std::tuple_size<T>::value;
};

template <class T>
concept MapLike = requires(T& value, typename T::key_type key, typename T::mapped_type mapped) {
  value.emplace(std::move(key), std::move(mapped));
  value.size();
  value.begin();
};

template <class T>
concept SetLike = requires(T& value, typename T::key_type key) {
  value.emplace(std::move(key));
  value.size();
  value.begin();
};

template <class T>
concept SequenceLike = requires(T& value, typename T::value_type element) {
  value.push_back(std::move(element));
  value.size();
  value.begin();
};

template <class T>
concept ContiguousLike = SequenceLike<T> && requires(T& value) {
  value.resize(std::size_t{});
  { value.data() } -> std::same_as<typename T::value_type*>;
} && std::is_default_constructible_v<typename T::value_type>;

template <class T>
concept ForwardLike = requires(T& value, typename T::value_type element) {
  value.insert_after(value.before_begin(), std::move(element));
  value.begin();
};

// Trivially copyable, and yet no more than an address, or something that means nothing
// elsewhere.
template <class T>
concept PointerLike = std::is_pointer_v<T> || std::is_member_pointer_v<T> || std::is_reference_v<T> ||
    std::is_function_v<T> || std::is_void_v<T> || std::is_null_pointer_v<T> || std::ranges::enable_borrowed_range<T> ||
    requires(T& value) {
  *value, ++value;
} ||  // iterators
    requires(T& value, typename T::type& to) {
  to = value, value.get();
} ||  // reference_wrapper
    requires(T& value) {
  value.address(), value.resume();
} ||  // coroutine_handle
    requires(T& value) {
  value.category(), value.value();
};  // error_code

template <class T>
consteval Kind kind_of();

// Of a container: whether its elements go as they lie in memory.
template <class T>
consteval bool plain_elements() {
  if constexpr (requires { typename T::value_type; }) return kind_of<typename T::value_type>() == Kind::kPlain;
  else return false;
}

// Of a type without an Adapter.
template <class T>
consteval Kind natural_kind_of() {
  if constexpr (std::is_const_v<T> || std::is_volatile_v<T>) return Kind::kRefused;
  else if constexpr (HasMember<T>) return Kind::kMember;
  else if constexpr (HasFree<T>) return Kind::kFree;
  else if constexpr (std::is_same_v<T, bool>) return Kind::kBool;
  else if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) return Kind::kPlain;
  else if constexpr (PointerLike<T>) return Kind::kRefused;
  else if constexpr (std::is_array_v<T>) {
    return kind_of<std::remove_extent_t<T>>() == Kind::kPlain ? Kind::kPlain : Kind::kCArray;
  } else if constexpr (OptionalLike<T>) return Kind::kOptional;
  else if constexpr (VariantLike<T>) return Kind::kVariant;
  else if constexpr (UniqueLike<T>) return Kind::kUnique;
  else if constexpr (PathLike<T>) return Kind::kPath;
  else if constexpr (TupleLike<T>)
    return plain_elements<T>() && std::is_trivially_copyable_v<T> ? Kind::kPlain : Kind::kTuple;
  else if constexpr (MapLike<T>) return Kind::kMap;
  else if constexpr (SetLike<T>) return Kind::kSet;
  else if constexpr (SequenceLike<T>)
    return plain_elements<T>() && ContiguousLike<T> ? Kind::kContiguous : Kind::kSequence;
  else if constexpr (ForwardLike<T>) return Kind::kForward;
  else if constexpr (std::is_trivially_copyable_v<T>) return Kind::kPlain;
  else return Kind::kRefused;
}

template <class T>
consteval Kind kind_of() {
  if constexpr (Adapted<T>) return Kind::kAdapted;
  else return natural_kind_of<T>();
}

// Whether T and all that it holds can be sent, as far as its type tells: what a
// serialize() does is found out when it is compiled.
template <class T>
consteval bool sendable();

template <class T, std::size_t... kIndex>
consteval bool all_sendable(std::index_sequence<kIndex...>) {
  return (sendable<std::remove_cv_t<std::tuple_element_t<kIndex, T>>>() && ...);
}

template <class T>
struct Alternatives;
template <template <class...> class Variant, class... T>
struct Alternatives<Variant<T...>> {
  static constexpr std::size_t kCount = sizeof...(T);
  static constexpr bool kSendable = (sendable<T>() && ...);
};

template <class T>
consteval bool sendable() {
  constexpr Kind kKind = kind_of<T>();
  if constexpr (kKind == Kind::kRefused) return false;
  else if constexpr (kKind == Kind::kVariant) return Alternatives<T>::kSendable;
  else if constexpr (kKind == Kind::kUnique) return sendable<typename T::element_type>();
  else if constexpr (kKind == Kind::kTuple) return all_sendable<T>(std::make_index_sequence<std::tuple_size_v<T>>());
  else if constexpr (kKind == Kind::kCArray) return sendable<std::remove_extent_t<T>>();
  else if constexpr (kKind == Kind::kMap)
    return sendable<typename T::key_type>() && sendable<typename T::mapped_type>();
  else if constexpr (kKind == Kind::kSet) return sendable<typename T::key_type>();
  else if constexpr (kKind == Kind::kOptional || kKind == Kind::kSequence || kKind == Kind::kForward) {
    return sendable<typename T::value_type>();
  } else return true;
}

// Names the innermost type that is to blame.
template <class T>
struct Refused {
  static_assert(sendable<T>(),
                "nogil: this type cannot be sent to another process. A pointer, reference, iterator or view holds an "
                "address, which means nothing there: send the value (std::string, std::vector). A class of your own "
                "needs `template <class A> void serialize(A& archive) { archive(its_members); }`, public");
};

}  // namespace detail

// What can be an argument or a result of a task, or an element of a queue between processes.
template <class T>
concept Sendable = detail::sendable<T>();

}  // namespace nogil::multiprocessing
