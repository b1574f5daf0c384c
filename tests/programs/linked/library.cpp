// What a program loads by itself: library_that_goes.cpp.

extern "C" int nogil_test_twice(int x);
extern "C" int nogil_test_twice(int x) {
  return 2 * x;
}
