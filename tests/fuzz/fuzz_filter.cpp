// SPDX-License-Identifier: MIT
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/filter.h"

using namespace snakepit::shm;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto filter = RegionFilter::parse({reinterpret_cast<const char*>(data), size});
    if (!filter) {
        if (filter.error().message.empty()) std::abort();
        return 0;
    }
    RegionInfo region;
    region.id = {1'700'000'000'000'000, 42};
    region.owner_process = "python3";
    region.metadata = R"({"kind":"tensor"})";
    const bool matched = filter->matches(region, {1'700'000'100'000'000});
    if (filter->empty() && !matched) std::abort();
    return 0;
}
