// SPDX-License-Identifier: MIT
// diagnose: one file about an instance, for somebody elsewhere.
#include <fmt/format.h>

#include <memory>

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

struct Words {
    std::string file;
    bool force = false;
    bool metadata = false;
    std::int64_t events = BundleRequest{}.events;
};

// Documents that other rooms make; each may fail without the bundle failing.
std::vector<BundleExtra> extras() {
    return {{std::string(bundle_part::host),
             "all shared memory of the host, as 'host --json' has it", []() -> Result<QJsonObject> {
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
    Table parts({"IN IT", "SIZE>", "WHAT"});
    for (const auto& part : summary.parts)
        parts.add({part.name, format_size(part.bytes), part.what});
    print(parts.str());
    if (!summary.left_out.empty()) {
        Table gaps({"NOT IN IT", "WHY"});
        for (const auto& gap : summary.left_out) gaps.add({gap.name, gap.why});
        print("\n" + gaps.str());
    }
    print("\nTaken out:\n");
    for (const auto& what : summary.redacted) print(fmt::format("  {}\n", what));
    print(
        "Never in a bundle: contents of regions, keys, lease pages, grants, tokens, environments\n"
        "and command lines of other processes.\n\n");
    print(fmt::format("See it with: snakepit-shm-monitor --bundle {0}\nor: sqlite3 {0} -Atv\n",
                      summary.file));
}

Result<int> run_diagnose(const Context& context, const Words& words) {
    BundleRequest request;
    SHM_ASSIGN(request.paths, resolve_paths(context.instance));
    request.file = words.file;
    request.force = words.force;
    request.metadata = words.metadata;
    request.events = words.events;
    request.extras = extras();
    SHM_ASSIGN(const auto summary, write_bundle(request));
    if (words.file == "-") return kDone;
    if (context.json)
        print_json(document(summary));
    else
        print_summary(summary);
    return kDone;
}

}  // namespace

void add_diagnose(CLI::App& app, Context& context) {
    constexpr std::int64_t most = 5'000'000;
    auto* command = add_command(
        app, context, "diagnose",
        "Write one file with all that helps to find out what is wrong, and nothing secret; the "
        "monitor opens it on any machine. Works without a manager.");
    auto words = std::make_shared<Words>();
    command->add_option("-o,--output", words->file, kOutputHelp)->required();
    command
        ->add_option("--events", words->events, "Newest events to take along; 100,000 by default")
        ->check(CLI::Range(std::int64_t{0}, most));
    command->add_flag("--with-metadata", words->metadata,
                      "Take the regions' metadata along, which programs put there");
    command->add_flag("--force", words->force, kForceHelp);
    command->callback([&context, words] {
        context.action = [&context, words] { return run_diagnose(context, *words); };
    });
}

}  // namespace snakepit::shm::cli
