// SPDX-License-Identifier: MIT
// host, host clean: all shared memory of this host. No manager is asked.
#include <algorithm>

#include "command.h"
#include "diagnostics/host_json.h"
#include "host.h"
#include "host_history.h"
#include "host_output.h"
#include "origins/origin_reader.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

struct HostOptions {
    std::vector<std::string> names;
    bool all = false;
    std::string verdict, at;
    SurveyOptions survey;
};

// Hosts have many unnamed segments, and few of them matter.
bool shown(const HostSegment& segment, const HostOptions& options) {
    if (!options.verdict.empty()) return options.verdict == to_string(segment.verdict);
    return options.all || (segment.kind != SegmentKind::memfd && !segment.unlinked);
}

void choose(HostSurvey& survey, const HostOptions& options, bool json) {
    auto& segments = survey.segments;
    const auto drop = [&](const HostSegment& segment) {
        if (!options.names.empty())
            return std::none_of(options.names.begin(), options.names.end(),
                                [&](const auto& name) { return is_meant(segment, name); });
        return !shown(segment, options) && (!json || !options.verdict.empty());
    };
    segments.erase(std::remove_if(segments.begin(), segments.end(), drop), segments.end());
    sort_by_interest(segments);
    if (!json) return;
    std::transform(segments.begin(), segments.end(), segments.begin(), in_unicode);
}

Result<int> run_details(const Context& context, const HostOptions& options, HostSurvey survey) {
    choose(survey, options, context.json);
    if (survey.segments.empty())
        return fail(ErrorCode::region_not_found, "no segment of this host has this name",
                    "list all with 'snakepit-shm host --all'");
    if (context.json) {
        print_json(host_json(survey));
    } else {
        for (const auto& segment : survey.segments) print(host_details(segment));
    }
    return kDone;
}

Result<int> run_host(const Context& context, const HostOptions& options) {
    if (!options.at.empty()) return run_host_at(context, options.at);
    auto wanted = options.survey;
    const auto memory = remembered_segments(context);
    wanted.payers = true;
    const auto origins = origins::OriginReader::open();
    wanted.origins = origins.get();
    wanted.memory = &memory;
    SHM_ASSIGN(auto survey, survey_host(wanted));
    if (!options.names.empty()) return run_details(context, options, std::move(survey));
    if (context.json) {
        choose(survey, options, true);
        print_json(host_json(survey));
        return kDone;
    }
    auto listed = survey;
    choose(listed, options, false);
    if (!listed.segments.empty()) print(host_table(listed.segments));
    print(host_summary(survey, listed.segments));
    return kDone;
}

void add_place(Command& command, SurveyOptions& survey) {
    command
        .option("--shm-path", "DIRECTORY", survey.shm_path,
                "The directory of POSIX segments (default: /dev/shm)")
        .completed_with(Completion::files);
}

}  // namespace

void add_host(Command& app) {
    auto& command = app.add(
        "host", "Show all shared memory of this host and what was left over; needs no manager");
    auto& options = command.options<HostOptions>();
    command.argument("NAME", options.names,
                     "Show everything about these segments (System V also by key: 0x5157)");
    command.flag("--all", options.all, "Include unnamed (memfd) segments");
    command.option("--verdict", "VERDICT", options.verdict, "Show only segments with this verdict")
        .one_of({"in_use", "ours", "kept", "left_over", "unknown"});
    command.flag("--quick", options.survey.quick,
                 "Skip the slow part: descriptors that wait in sockets");
    command.option("--at", "TIME", options.at,
                   "Show the totals of this time, or of this long ago (10m), as recorded");
    add_place(command, options.survey);
    command.footer(
        "Semaphores and message queues of System V are not shown. Root also sees what "
        "snakepit-shm-origins recorded: who made a segment whose maker has ended.");
    command.run(run_host, options);

    auto& clean = command.add(
        "clean", "Remove what is certainly left over, or the segments named; never one in use");
    auto& chosen = clean.options<HostCleanOptions>();
    clean.argument("NAME", chosen.names, "Remove these segments, named as 'host' shows them");
    auto& dry_run = clean.flag("--dry-run", chosen.dry_run, "Show what would be removed, and why");
    clean.flag("--yes", chosen.yes, "Do not ask for confirmation").excludes(dry_run);
    clean.flag(
        "--force", chosen.force,
        "Remove the segments named even if their creator may be running; never what is in use");
    add_place(clean, options.survey);
    chosen.survey = &options.survey;
    clean.run(run_host_clean, chosen);
}

}  // namespace snakepit::shm::cli
