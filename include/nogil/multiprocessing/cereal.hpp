// nogil/multiprocessing/cereal.hpp -- what cereal can serialize can be sent.
//
//   #include <cereal/types/memory.hpp>
//   #include <nogil/multiprocessing/cereal.hpp>
//
//   pool.submit(weigh, std::make_shared<Tree>(…));        // a std::shared_ptr goes
//
// Types that nogil knows by itself (serialize.hpp) go as ever; all others that cereal knows go
// by cereal: std::shared_ptr, pointers to registered polymorphic types, std::bitset, classes
// with save() and load(), with a version, or with private functions and cereal::access. In both,
// cereal's wrappers (CEREAL_NVP, base_class, …) do what they do for a binary archive, and the
// handles of this module (Lock, Queue, …) are among the members that they may have.
//
// Include it, after the headers of cereal/types that are needed, in every file that sends
// such a type.
//
// Sharing    Two std::shared_ptr to one object stay that inside a value that goes by cereal; if
//            nogil itself takes a value apart, such as a std::vector, each element goes alone.
// Errors     What cereal throws (cereal::Exception). DecodeError where the bytes end.
// Cost       cereal's, without its streams. What cereal keeps in tables (polymorphic types,
//            shared objects) it allocates for each value.
// Needs      cereal 1.3, which this library does not bring.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include <cereal/archives/binary.hpp>
#include <cereal/cereal.hpp>
#include <cereal/types/base_class.hpp>

#include "nogil/multiprocessing/serialize.hpp"

namespace nogil::multiprocessing::detail {

// Bytes would do for a class that is trivially copyable, but it wants to be saved otherwise.
template <class T>
concept HasCerealMembers = cereal::traits::has_member_save<T, cereal::BinaryOutputArchive>::value ||
    cereal::traits::has_member_versioned_save<T, cereal::BinaryOutputArchive>::value;

template <class T>
concept CerealTakes = std::is_class_v<T> &&(natural_kind_of<T>() == Kind::kRefused ||
                                            (natural_kind_of<T>() == Kind::kPlain && HasCerealMembers<T>)) &&
                      cereal::traits::is_output_serializable<T, cereal::BinaryOutputArchive>::value&& cereal::traits::
                          is_input_serializable<T, cereal::BinaryInputArchive>::value;

using NogilOutput = multiprocessing::OutputArchive;  // cereal's own have the same names
using NogilInput = multiprocessing::InputArchive;

// What cereal writes to: one of nogil's archives.
class CerealOutput : public cereal::OutputArchive<CerealOutput, cereal::AllowEmptyClassElision> {
 public:
  explicit CerealOutput(NogilOutput& out)
      : cereal::OutputArchive<CerealOutput, cereal::AllowEmptyClassElision>(this), out_(out) {}
  NogilOutput& out() noexcept { return out_; }

 private:
  NogilOutput& out_;
};

class CerealInput : public cereal::InputArchive<CerealInput, cereal::AllowEmptyClassElision> {
 public:
  explicit CerealInput(NogilInput& in)
      : cereal::InputArchive<CerealInput, cereal::AllowEmptyClassElision>(this), in_(in) {}
  NogilInput& in() noexcept { return in_; }

  // cereal makes room for so many elements, which are to come. They may take no bytes at all, so
  // a few are believed.
  void require(std::uint64_t count) {
    if (count > in_.left() && count > 65'536) throw_malformed("serialize: the bytes end before the value does");
  }

 private:
  NogilInput& in_;
};

template <CerealTakes T>
struct Adapter<T> {
  static void save(OutputArchive& out, const T& value) {
    CerealOutput archive(out);
    archive(value);
  }
  static T load(InputArchive& in) {
    static_assert(std::is_default_constructible_v<T>, "nogil: cereal needs a default constructor to load a class");
    T value;
    CerealInput archive(in);
    archive(value);
    return value;
  }
};

// cereal's wrappers, in a serialize() that is called with one of nogil's archives: they stand for
// what they refer to.
template <class T>
struct Adapter<cereal::NameValuePair<T>> {
  using Pair = cereal::NameValuePair<T>;
  static void save(NogilOutput& out, const Pair& pair) { out(pair.value); }
  static Pair load(NogilInput& in);  // there is nothing to refer to
  static void load_into(NogilInput& in, Pair& pair) { in(pair.value); }
};
template <class Base>
struct Adapter<cereal::base_class<Base>> {
  using Wrapper = cereal::base_class<Base>;
  static void save(NogilOutput& out, const Wrapper& base) { out(*base.base_ptr); }
  static Wrapper load(NogilInput& in);
  static void load_into(NogilInput& in, Wrapper& base) { in(*base.base_ptr); }
};

// For cereal: a member that it does not know, but nogil does. The archive is looked at first:
// the rest asks what cereal takes, which may ask this again.
template <class Archive, class Ours, class T>
concept OnlyNogilTakes = std::is_same_v<Archive, Ours> && !std::is_arithmetic_v<T> &&
                         !cereal::traits::is_output_serializable<T, cereal::BinaryOutputArchive>::value && Sendable<T>;

}  // namespace nogil::multiprocessing::detail

// ---- The archives' own functions, where cereal looks for them ------------------------------

namespace cereal {

template <class T>
requires std::is_arithmetic_v<T>
void CEREAL_SAVE_FUNCTION_NAME(nogil::multiprocessing::detail::CerealOutput& archive, const T& value) {
  archive.out().write_raw(value);
}
template <class T>
requires std::is_arithmetic_v<T>
void CEREAL_LOAD_FUNCTION_NAME(nogil::multiprocessing::detail::CerealInput& archive, T& value) {
  value = archive.in().get<T>();
}

template <class T>
void CEREAL_SAVE_FUNCTION_NAME(nogil::multiprocessing::detail::CerealOutput& archive, const BinaryData<T>& data) {
  archive.out().write(data.data, static_cast<std::size_t>(data.size));
}
template <class T>
void CEREAL_LOAD_FUNCTION_NAME(nogil::multiprocessing::detail::CerealInput& archive, BinaryData<T>& data) {
  const auto size = static_cast<std::size_t>(data.size);
  const std::byte* const bytes = archive.in().read(size);
  if (size != 0) std::memcpy(data.data, bytes, size);
}

template <class T>
void CEREAL_SAVE_FUNCTION_NAME(nogil::multiprocessing::detail::CerealOutput& archive, const NameValuePair<T>& pair) {
  archive(pair.value);
}
template <class T>
void CEREAL_LOAD_FUNCTION_NAME(nogil::multiprocessing::detail::CerealInput& archive, NameValuePair<T>& pair) {
  archive(pair.value);
}

template <class T>
void CEREAL_SAVE_FUNCTION_NAME(nogil::multiprocessing::detail::CerealOutput& archive, const SizeTag<T>& tag) {
  archive.out().write_raw(static_cast<std::uint64_t>(tag.size));
}
template <class T>
void CEREAL_LOAD_FUNCTION_NAME(nogil::multiprocessing::detail::CerealInput& archive, SizeTag<T>& tag) {
  const auto size = archive.in().read_raw<std::uint64_t>();
  archive.require(size);
  tag.size = static_cast<std::remove_reference_t<decltype(tag.size)>>(size);
}

template <class Archive, class T>
requires nogil::multiprocessing::detail::OnlyNogilTakes<Archive, nogil::multiprocessing::detail::CerealOutput, T>
void CEREAL_SAVE_FUNCTION_NAME(Archive& archive, const T& value) {
  nogil::multiprocessing::detail::save<T>(archive.out(), value);
}
template <class Archive, class T>
requires nogil::multiprocessing::detail::OnlyNogilTakes<Archive, nogil::multiprocessing::detail::CerealInput, T>
void CEREAL_LOAD_FUNCTION_NAME(Archive& archive, T& value) {
  nogil::multiprocessing::detail::load_into(archive.in(), value);
}

}  // namespace cereal

CEREAL_REGISTER_ARCHIVE(nogil::multiprocessing::detail::CerealOutput)
CEREAL_REGISTER_ARCHIVE(nogil::multiprocessing::detail::CerealInput)
CEREAL_SETUP_ARCHIVE_TRAITS(nogil::multiprocessing::detail::CerealInput, nogil::multiprocessing::detail::CerealOutput)
