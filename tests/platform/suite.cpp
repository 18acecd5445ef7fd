// SPDX-License-Identifier: MIT
#include "conformance.h"

namespace snakepit::shm::conformance {

std::vector<Test> all_tests() {
    std::vector<Test> out;
    for (const auto tests : {segment_tests(), sharing_tests(), process_tests()})
        out.insert(out.end(), tests.begin(), tests.end());
    return out;
}

}  // namespace snakepit::shm::conformance
