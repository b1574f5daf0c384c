// nogil/platform/node_ring.hpp -- a list that is one pointer, of nodes in their owners' memory.
//
// A Node has `Node* next` and `Node* previous`: a ring as long as it is listed, null when it
// is not. `first` is null for none. The last one is the first one's previous, so that to
// append is as quick as to remove.

#pragma once

namespace nogil::platform {

// One that is in no ring.
template <class Node>
void append_to_ring(Node*& first, Node& node) noexcept {
  if (first == nullptr) {
    first = node.next = node.previous = &node;
    return;
  }
  node.next = first;
  node.previous = first->previous;
  first->previous->next = &node;
  first->previous = &node;
}

// One that is in this ring.
template <class Node>
void remove_from_ring(Node*& first, Node& node) noexcept {
  if (first == &node) first = node.next == &node ? nullptr : node.next;
  node.previous->next = node.next;
  node.next->previous = node.previous;
  node.next = node.previous = nullptr;
}

}  // namespace nogil::platform
