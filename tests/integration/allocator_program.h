// SPDX-License-Identifier: MIT
// The test program itself, started once more as a client: what it does is said by its first word.
#pragma once

#include <optional>

namespace snakepit::shm::test {

// The exit status of the role that the arguments name; none when they name none.
//   allocate BYTES [memfd]    waits for a line, allocates once, says "ok" or "CODE: MESSAGE", and
//                             holds it until its input ends
//   ahead BYTES               waits for a line, allocates and deallocates often, and says the id of
//                             a region that it then keeps until its input ends
//   loop BYTES SECONDS        allocates and deallocates without a pause; says how often, how often
//                             it was refused, and with which code last
//   compute SECONDS           keeps a processor busy and asks for nothing
//   starved space|handles     30 allocations that fail for want of address space or descriptors;
//                             then says how many regions there are
std::optional<int> play_client(int count, char** words);

}  // namespace snakepit::shm::test
