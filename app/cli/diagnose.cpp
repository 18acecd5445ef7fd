// SPDX-License-Identifier: MIT
// diagnose: one file about an instance, to be read on another machine.
#include <fmt/format.h>

#include <QJsonArray>

#include "base/units.h"
#include "command.h"
#include "diagnostics/bundle.h"
#include "diagnostics/host_json.h"
#include "host_output.h"
#include "json.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

struct DiagnoseOptions {
    std::string file;
    bool force = false;
    bool metadata = false;
    std::int64_t events = BundleRequest{}.events;
};

// Documents that other modules make; each may fail without the bundle failing.
std::vector<BundleExtra> extras() {
    return {{std::string(bundle_part::host),
             "all shared memory of the host, as 'host --json' prints it",
             []() -> Result<QJsonObject> {
                 SHM_ASSIGN(auto survey, survey_host());
                 sort_by_interest(survey.segments);
                 return host_json(survey);
             }}};
}

QJsonObject document(const BundleSummary& summary) {
    QJsonArray parts, left_out, redacted;
    for (const auto& part : summary.parts)
        parts.append(QJsonObject{
            {"name", text(part.name)}, {"what", text(part.what)}, {"bytes", json(part.bytes)}});
    for (const auto& gap : summary.left_out)
        left_out.append(QJsonObject{{"name", text(gap.name)}, {"why", text(gap.why)}});
    for (const auto& what : summary.redacted) redacted.append(text(what));
    return {{"file", text(summary.file)},
            {"bytes", json(summary.bytes)},
            {"parts", parts},
            {"left_out", left_out},
            {"redacted", redacted}};
}

void print_summary(const BundleSummary& summary) {
    print(fmt::format("{} ({})\n\n", summary.file, format_size(summary.bytes)));
    Table parts({"PART", "SIZE>", "WHAT"});
    for (const auto& part : summary.parts)
        parts.add({part.name, format_size(part.bytes), part.what});
    print(parts);
    if (!summary.left_out.empty()) {
        Table gaps({"LEFT OUT", "WHY"});
        for (const auto& gap : summary.left_out) gaps.add({gap.name, gap.why});
        print("\n");
        print(gaps);
    }
    print("\nRedacted:\n");
    for (const auto& what : summary.redacted) print(fmt::format("  {}\n", what));
    print(
        "Never in a bundle: contents of regions, keys, lease pages, grants, tokens, environments\n"
        "and command lines of other processes.\n\n");
    print(fmt::format("See it with: snakepit-shm-monitor --bundle {0}\nor: sqlite3 {0} -Atv\n",
                      summary.file));
}

Result<int> run_diagnose(const Context& context, const DiagnoseOptions& options) {
    BundleRequest request;
    SHM_ASSIGN(request.paths, resolve_paths(context.instance));
    request.file = options.file;
    request.force = options.force;
    request.metadata = options.metadata;
    request.events = options.events;
    request.extras = extras();
    SHM_ASSIGN(const auto summary, write_bundle(request));
    if (options.file == "-") return kDone;
    if (context.json)
        print_json(document(summary));
    else
        print_summary(summary);
    return kDone;
}

}  // namespace

void add_diagnose(Command& app) {
    auto& command =
        app.add("diagnose", "Write a diagnostic bundle without secrets; needs no manager");
    auto& options = command.options<DiagnoseOptions>();
    command.option("-o,--output", "FILE", options.file, kOutputHelp)
        .required()
        .with_file(FilePlace::written_here, 0600);
    command
        .option("--events", "N", options.events,
                "Include at most N events, the newest (default: 100,000)")
        .range(0, 5'000'000);
    command.flag("--with-metadata", options.metadata,
                 "Include the metadata that programs gave their regions");
    command.flag("--force", options.force, kForceHelp);
    command.footer("Open it on any machine with: snakepit-shm-monitor --bundle FILE");
    command.run(run_diagnose, options);
}

}  // namespace snakepit::shm::cli
