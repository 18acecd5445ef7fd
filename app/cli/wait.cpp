// SPDX-License-Identifier: MIT
// wait: until a region is in a state, has some number of references, or no longer exists.
#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>

#include <fmt/format.h>

#include "base/units.h"
#include "command.h"
#include "json.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kInterval = std::chrono::milliseconds(50);  // between two requests
constexpr std::int64_t kLeastPatienceMs = 500;             // for a manager that is busy

struct WaitOptions {
    std::string id;
    std::optional<RegionState> state;
    bool gone = false;
    std::optional<std::uint64_t> references;
    std::string timeout;
};

std::optional<RegionState> parse_state(std::string_view word) {
    for (const auto state : {RegionState::live, RegionState::orphan, RegionState::closing,
                             RegionState::quarantined, RegionState::revoked, RegionState::damaged})
        if (word == to_string(state)) return state;
    return std::nullopt;
}

// What holds of the region now. A region that does not exist has no state, and ends every other
// wait with an error.
Result<bool> reached(const WaitOptions& options, const Result<RegionInfo>& region) {
    if (!region) {
        if (options.gone && region.error().code == ErrorCode::region_not_found) return true;
        return fail(region.error());
    }
    if (options.state) return region->state == *options.state;
    if (options.references) return region->reference_count == *options.references;
    return false;
}

std::string condition(const WaitOptions& options) {
    if (options.state) return fmt::format("in state {}", to_string(*options.state));
    if (options.references) return fmt::format("at {} references", *options.references);
    return "freed";
}

Status check(const WaitOptions& options) {
    const int given = options.state.has_value() + options.gone + options.references.has_value();
    if (given == 1) return {};
    return fail(ErrorCode::invalid_argument, "wait needs one condition",
                "give --state STATE, --gone or --references N");
}

Result<int> run_wait(const Context& context, const WaitOptions& options) {
    SHM_TRY(check(options));
    std::optional<Clock::time_point> deadline;
    auto patient = context;
    if (!options.timeout.empty()) {
        SHM_ASSIGN(const auto millis, parse_duration(options.timeout));
        deadline = Clock::now() + std::chrono::milliseconds(millis);
        patient.patience_ms = static_cast<int>(
            std::clamp<std::int64_t>(millis, kLeastPatienceMs, patient.patience_ms));
    }
    const auto target = connect_to(patient, {options.id});
    if (!target && options.gone && target.error().code == ErrorCode::region_not_found) return kDone;
    if (!target) return fail(target.error());
    const auto& id = target->ids.front();
    for (;;) {
        const auto region = target->client->info(id);
        SHM_ASSIGN(const bool done, reached(options, region));
        if (done) {
            if (context.json)
                print_json({{"id", text(id.str())},
                            {"region", region ? region_json(*region) : QJsonValue()}});
            return kDone;
        }
        const auto at = Clock::now();
        if (deadline && at >= *deadline) break;
        std::this_thread::sleep_for(deadline ? std::min<Clock::duration>(kInterval, *deadline - at)
                                             : Clock::duration(kInterval));
    }
    auto error = make_error(ErrorCode::timeout,
                            fmt::format("region {} was not {} within {}", id.str(),
                                        condition(options), options.timeout),
                            "'snakepit-shm info' shows its holders and its state");
    error.operation = "wait";
    error.region_id = id.str();
    return fail(std::move(error));
}

}  // namespace

void add_wait(Command& app) {
    auto& command = app.add("wait", "Wait until a region reaches a state or is gone");
    auto& options = command.options<WaitOptions>();
    command
        .argument("ID", options.id,
                  "The region: its id, the beginning or the end of it, or its name")
        .required()
        .completed_with(Completion::regions);
    auto& state = command.option("--state", "STATE", options.state, parse_state,
                                 {"live", "orphan", "closing", "quarantined", "revoked", "damaged"},
                                 "Wait until the region is in this state");
    auto& gone = command.flag("--gone", options.gone, "Wait until the region no longer exists")
                     .excludes(state);
    command
        .option("--references", "N", options.references, "Wait until it has exactly N references")
        .excludes(state)
        .excludes(gone);
    command.option(
        "--timeout", "TIME", options.timeout,
        "Give up after this time, such as 30s, with status 1 and code timeout (default: never)");
    command.run(run_wait, options);
}

}  // namespace snakepit::shm::cli
