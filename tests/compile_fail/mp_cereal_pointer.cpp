// A pointer in a class that goes by cereal is told by cereal.
// expect: raw pointers

#if __has_include(<cereal/cereal.hpp>)
#include "nogil/multiprocessing/cereal.hpp"
#include "nogil/multiprocessing/process.hpp"

struct Node {
  int* number = nullptr;

  template <class Archive>
  void save(Archive& archive) const {
    archive(number);
  }
  template <class Archive>
  void load(Archive& archive) {
    archive(number);
  }
};

void use(const Node& node);
nogil::mp::Process process(use, Node());
#else
#error without cereal nobody says a word about raw pointers here
#endif
