// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "security/policy_text.h"
#include "service_bench.h"

namespace snakepit::shm::test {

inline const Credentials kAlice{200, 5001, 501};
inline const Credentials kBob{201, 5002, 502};
inline const std::string kAliceReads = R"({"rules":[{"user":5001,"allow":["read"]}]})";
inline const std::string kAliceWrites = R"({"rules":[{"user":5001,"allow":["write"]}]})";
inline const std::string kBobReads = R"({"rules":[{"user":5002,"allow":["read"]}]})";

// A service, a program of one user, and that user's hand that sets policies.
class PolicyFixture : public ServiceFixture {
    Q_OBJECT

  protected:
    Result<PolicyReport> set(const Caller& caller, const RegionId& id, const std::string& policy) {
        Result<std::string> answer = fail(ErrorCode::timeout, "no answer");
        service().set_policy(caller, id, policy,
                             [&](Result<std::string> json) { answer = std::move(json); });
        if (!answer) return fail(answer.error());
        return parse_policy_report(*answer);
    }
    bool in_effect(const RegionId& id) {
        return service().info(user_->caller(), id)->policy_in_effect;
    }
    std::string segment(const RegionId& id) {
        return service().info(user_->caller(), id)->platform_handle;
    }
    Caller root() const { return {{1, 0, 0}, {}, 0, "root", {}}; }
};

}  // namespace snakepit::shm::test
