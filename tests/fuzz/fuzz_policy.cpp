// SPDX-License-Identifier: MIT
// Policies as people write them, and policy reports as a hostile service answers.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "security/policy_text.h"

using namespace snakepit::shm;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    static_cast<void>(parse_policy_report(text));
    const auto policy = parse_policy(text);
    if (!policy) {
        if (policy.error().message.empty()) std::abort();
        return 0;
    }
    // What is understood is kept as it was understood, and nobody gets a right without a rule.
    const auto again = parse_policy(to_json(*policy));
    if (!again || !(*again == *policy)) std::abort();
    for (const auto& rule : policy->rules)
        if (rule.allow.empty()) std::abort();
    if (policy->rules.size() > kMaxPolicyRules) std::abort();
    return 0;
}
