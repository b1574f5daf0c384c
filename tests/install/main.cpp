// What a user might write first. Prints how it came by the library: its argument.

#include <nogil/nogil.hpp>
#include <nogil/version.hpp>

#include <cstdio>
#include <mutex>

int main(int argc, char** argv) {
  nogil::Lock lock;
  int counter = 0;
  {
    auto work = [&] {
      for (int i = 0; i < 1000; ++i) {
        std::scoped_lock guard(lock);
        ++counter;
      }
    };
    nogil::Thread one(work), two(work);
    one.start();
    two.start();
  }
  std::printf("nogil %s by %s: %s\n", NOGIL_VERSION_STRING, argc > 1 ? argv[1] : "-",
              counter == 2000 ? "works" : "fails");
  return counter == 2000 ? 0 : 1;
}
