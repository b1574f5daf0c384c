// tests/platform/node_ring_test.cpp

#include "nogil/platform/node_ring.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nogil::platform::node_ring_test {
namespace {

struct Node {
  explicit Node(char letter) : name(letter) {}
  char name;
  Node* next = nullptr;
  Node* previous = nullptr;
};

// From the first to the last, and back.
std::string names(const Node* first) {
  std::string there;
  std::string back;
  for (const Node* node = first; node != nullptr; node = node->next == first ? nullptr : node->next)
    there += node->name;
  for (const Node* node = first == nullptr ? nullptr : first->previous; node != nullptr;
       node = node == first ? nullptr : node->previous) {
    back += node->name;
  }
  EXPECT_EQ(std::string(there.rbegin(), there.rend()), back);
  return there;
}

TEST(NodeRing, keeps_the_order_in_which_they_came) {
  Node a('a'), b('b'), c('c');
  Node* first = nullptr;
  for (Node* node : {&a, &b, &c}) append_to_ring(first, *node);
  EXPECT_EQ(names(first), "abc");
}

TEST(NodeRing, lets_go_of_any_of_them) {
  Node a('a'), b('b'), c('c');
  Node* first = nullptr;
  for (Node* node : {&a, &b, &c}) append_to_ring(first, *node);
  remove_from_ring(first, b);
  EXPECT_EQ(names(first), "ac");
  remove_from_ring(first, a);
  EXPECT_EQ(names(first), "c");
  append_to_ring(first, b);
  EXPECT_EQ(names(first), "cb");
  remove_from_ring(first, b);
  remove_from_ring(first, c);
  EXPECT_EQ(first, nullptr);
  EXPECT_EQ(b.next, nullptr);
  EXPECT_EQ(b.previous, nullptr);
}

}  // namespace
}  // namespace nogil::platform::node_ring_test
