// nogil/multiprocessing/detail/codec.hpp -- values to bytes, and back.
//
// Each manner of kind.hpp in both directions. Numbers are as they lie in memory: both
// sides run the same program on the same machine.
//
// Invariant: every value takes at least one byte. So a count that is more than the bytes
// that are left is a lie, and is found out before anything is allocated for it.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "nogil/multiprocessing/detail/kind.hpp"
#include "nogil/multiprocessing/serialize.hpp"

namespace nogil::multiprocessing::detail {

[[noreturn, gnu::noinline, gnu::cold]] inline void throw_malformed(const char* what) {
  throw DecodeError(what);
}

template <class T>
void save(OutputArchive& out, const T& value);
template <class T>
T load(InputArchive& in);

// ---- Out ---------------------------------------------------------------------------

template <class T>
void save_elements(OutputArchive& out, const T& values) {
  for (const auto& element : values) save<std::remove_cvref_t<decltype(element)>>(out, element);
}

template <class T, std::size_t kIndex = 0>
void save_alternative(OutputArchive& out, const T& value) {
  if constexpr (kIndex < Alternatives<T>::kCount) {
    if (value.index() != kIndex) return save_alternative<T, kIndex + 1>(out, value);
    save(out, get<kIndex>(value));
  } else {
    throw_malformed("serialize: a variant has no value");
  }
}

template <class T, std::size_t... kIndex>
void save_members(OutputArchive& out, const T& value, std::index_sequence<kIndex...>) {
  using std::get;
  (save(out, get<kIndex>(value)), ...);
}

template <class T>
void save(OutputArchive& out, const T& value) {
  constexpr Kind kKind = kind_of<T>();
  if constexpr (kKind == Kind::kRefused) {
    static_cast<void>(Refused<T>());
  } else if constexpr (kKind == Kind::kPlain) {
    out.write_raw(value);
  } else if constexpr (kKind == Kind::kBool) {
    out.write_raw(static_cast<std::uint8_t>(value));
  } else if constexpr (kKind == Kind::kContiguous) {
    out.write_raw(std::uint64_t{value.size()});
    out.write(value.data(), value.size() * sizeof(typename T::value_type));
  } else if constexpr (kKind == Kind::kPath) {
    save(out, value.native());
  } else {
    const Deeper deeper(out.depth());
    const std::size_t before = out.size();
    if constexpr (kKind == Kind::kAdapted) {
      Adapter<T>::save(out, value);
    } else if constexpr (kKind == Kind::kMember) {
      const_cast<T&>(value).serialize(out);  // one function for both directions: it does not write here
    } else if constexpr (kKind == Kind::kFree) {
      serialize(out, const_cast<T&>(value));
    } else if constexpr (kKind == Kind::kOptional) {
      out.write_raw(static_cast<std::uint8_t>(value.has_value()));
      if (value.has_value()) save<typename T::value_type>(out, *value);
    } else if constexpr (kKind == Kind::kUnique) {
      out.write_raw(static_cast<std::uint8_t>(value != nullptr));
      if (value != nullptr) save<typename T::element_type>(out, *value);
    } else if constexpr (kKind == Kind::kVariant) {
      out.write_raw(static_cast<std::uint8_t>(value.index()));
      static_assert(Alternatives<T>::kCount < 256);
      save_alternative(out, value);
    } else if constexpr (kKind == Kind::kTuple) {
      save_members(out, value, std::make_index_sequence<std::tuple_size_v<T>>());
    } else if constexpr (kKind == Kind::kCArray) {
      save_elements(out, value);
    } else if constexpr (kKind == Kind::kMap) {
      out.write_raw(std::uint64_t{value.size()});
      for (const auto& [key, mapped] : value) {
        save<typename T::key_type>(out, key);
        save<typename T::mapped_type>(out, mapped);
      }
    } else if constexpr (kKind == Kind::kForward) {
      std::uint64_t count = 0;
      for (auto at = value.begin(); at != value.end(); ++at) ++count;
      out.write_raw(count);
      save_elements(out, value);
    } else {
      out.write_raw(std::uint64_t{value.size()});
      for (auto&& element : value) save<typename T::value_type>(out, element);  // vector<bool> has proxies
    }
    if (out.size() == before) out.write_raw(std::uint8_t{0});
  }
}

// ---- In ----------------------------------------------------------------------------

inline bool load_flag(InputArchive& in) {
  const auto flag = in.read_raw<std::uint8_t>();
  if (flag > 1) throw_malformed("serialize: a truth value that is neither true nor false");
  return flag == 1;
}

template <class T>
T load_plain(InputArchive& in) {
  union Room {
    Room() {}
    T value;
  } room;  // T may have no default constructor; being trivially copyable, its bytes make it
  std::memcpy(static_cast<void*>(&room.value), in.read(sizeof(T)), sizeof(T));
  return room.value;
}

template <class T>
T load_contiguous(InputArchive& in) {
  using Element = typename T::value_type;
  const std::size_t count = in.read_count();
  if (count > in.left() / sizeof(Element)) throw_malformed("serialize: the bytes end before the value does");
  if constexpr (sizeof(Element) == 1 && std::is_constructible_v<T, const Element*, const Element*>) {
    const auto* const first = reinterpret_cast<const Element*>(in.read(count));
    return T(first, first + count);
  }
  T value;
  value.resize(count);
  if (count != 0)
    std::memcpy(static_cast<void*>(value.data()), in.read(count * sizeof(Element)), count * sizeof(Element));
  return value;
}

template <class T>
T load_sequence(InputArchive& in) {
  T value;
  for (std::size_t left = in.read_count(); left > 0; --left) value.push_back(load<typename T::value_type>(in));
  return value;
}

template <class T>
T load_forward(InputArchive& in) {
  T value;
  auto last = value.before_begin();
  for (std::size_t left = in.read_count(); left > 0; --left) {
    last = value.insert_after(last, load<typename T::value_type>(in));
  }
  return value;
}

template <class T>
T load_map(InputArchive& in) {
  T value;
  for (std::size_t left = in.read_count(); left > 0; --left) {
    auto key = load<typename T::key_type>(in);
    value.emplace(std::move(key), load<typename T::mapped_type>(in));
  }
  return value;
}

template <class T>
T load_set(InputArchive& in) {
  T value;
  for (std::size_t left = in.read_count(); left > 0; --left) value.emplace(load<typename T::key_type>(in));
  return value;
}

template <class T, std::size_t kIndex = 0>
T load_alternative(InputArchive& in, std::size_t index) {
  if constexpr (kIndex < Alternatives<T>::kCount) {
    if (index != kIndex) return load_alternative<T, kIndex + 1>(in, index);
    using Chosen = std::remove_cvref_t<decltype(get<kIndex>(std::declval<T&>()))>;
    return T(std::in_place_index<kIndex>, load<Chosen>(in));
  } else {
    throw_malformed("serialize: a variant has no such alternative");
  }
}

template <class T, std::size_t... kIndex>
T load_members(InputArchive& in, std::index_sequence<kIndex...>) {
  return T{load<std::remove_cv_t<std::tuple_element_t<kIndex, T>>>(in)...};  // braces: from left to right
}

template <class T>
void load_into(InputArchive& in, T& value) {
  if constexpr (kind_of<T>() == Kind::kPlain) {
    std::memcpy(static_cast<void*>(&value), in.read(sizeof(T)), sizeof(T));
  } else if constexpr (kind_of<T>() == Kind::kCArray) {
    for (auto& element : value) load_into(in, element);
  } else if constexpr (LoadedInPlace<T>) {
    Adapter<T>::load_into(in, value);
  } else {
    value = load<T>(in);
  }
}

template <class T>
T load(InputArchive& in) {
  constexpr Kind kKind = kind_of<T>();
  if constexpr (kKind == Kind::kRefused) {
    static_cast<void>(Refused<T>());
    throw_malformed("serialize: this type cannot be sent");
  } else if constexpr (kKind == Kind::kPlain) {
    return load_plain<T>(in);
  } else if constexpr (kKind == Kind::kBool) {
    return load_flag(in);
  } else if constexpr (kKind == Kind::kContiguous) {
    return load_contiguous<T>(in);
  } else if constexpr (kKind == Kind::kPath) {
    return T(load<typename T::string_type>(in));
  } else {
    const Deeper deeper(in.depth());
    const std::size_t before = in.left();
    const auto take = [&]() -> T {
      if constexpr (kKind == Kind::kAdapted) {
        return Adapter<T>::load(in);
      } else if constexpr (kKind == Kind::kMember || kKind == Kind::kFree) {
        static_assert(std::is_default_constructible_v<T>,
                      "nogil: a class with serialize() needs a default constructor");
        T value{};
        if constexpr (kKind == Kind::kMember) value.serialize(in);
        else serialize(in, value);
        return value;
      } else if constexpr (kKind == Kind::kOptional) {
        T value;
        if (load_flag(in)) value.emplace(load<typename T::value_type>(in));
        return value;
      } else if constexpr (kKind == Kind::kUnique) {
        using Element = typename T::element_type;
        return load_flag(in) ? T(new Element(load<Element>(in))) : T();
      } else if constexpr (kKind == Kind::kVariant) {
        const auto index = in.read_raw<std::uint8_t>();
        return load_alternative<T>(in, index);
      } else if constexpr (kKind == Kind::kTuple) {
        return load_members<T>(in, std::make_index_sequence<std::tuple_size_v<T>>());
      } else if constexpr (kKind == Kind::kMap) {
        return load_map<T>(in);
      } else if constexpr (kKind == Kind::kSet) {
        return load_set<T>(in);
      } else if constexpr (kKind == Kind::kForward) {
        return load_forward<T>(in);
      } else {
        return load_sequence<T>(in);
      }
    };
    T value = take();
    if (in.left() == before) in.read(1);
    return value;
  }
}

}  // namespace nogil::multiprocessing::detail

namespace nogil::multiprocessing {

template <class... T>
OutputArchive& OutputArchive::operator()(const T&... values) {
  (detail::save<T>(*this, values), ...);
  return *this;
}

template <class... T>
InputArchive& InputArchive::operator()(T&&... values) {
  static_assert(((std::is_lvalue_reference_v<T> || detail::LoadedInPlace<T>)&&...),
                "nogil: an archive reads into variables");
  (detail::load_into(*this, values), ...);
  return *this;
}

template <class T>
T InputArchive::get() {
  return detail::load<T>(*this);
}

}  // namespace nogil::multiprocessing
