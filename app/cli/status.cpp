// SPDX-License-Identifier: MIT
// status: a summary for people, or everything that the manager reports about itself.
#include <fmt/format.h>

#include <QJsonArray>

#include "base/pluralize.h"
#include "base/units.h"
#include "command.h"
#include "json.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

struct StatusOptions {
    bool all = false;
};

std::uint64_t number(const QJsonValue& value) {
    return static_cast<std::uint64_t>(std::max<qint64>(0, value.toInteger()));
}

std::string size_text(const QJsonValue& bytes) {
    return format_size(static_cast<std::uint64_t>(bytes.toDouble()));
}

// "3 of 1000", "3".
std::string of_limit(const std::string& used, const std::string& limit, const QJsonValue& value) {
    return number(value) == 0 ? used : fmt::format("{} of {}", used, limit);
}

// Nearly full is worth a color.
Tone fullness(std::uint64_t used, std::uint64_t limit) {
    if (limit == 0 || used < limit / 10 * 8) return Tone::plain;
    return used < limit / 100 * 95 ? Tone::warning : Tone::bad;
}

// Which control group pays for regions, in one line.
QString memory_text(const QJsonObject& memory) {
    auto out = fmt::format(
        "charged to {}, which has {} of {} left; clients pay for large segments of their own",
        str(memory["charged_to"]), size_text(memory["left"]), size_text(memory["limit"]));
    if (const auto why = str(memory["not_known"]); !why.empty())
        out += fmt::format("; not known: {}", why);
    return text(out);
}

// One line in place of three.
QJsonObject shortened_report(QJsonObject document) {
    if (document.contains("memory"))
        document["memory"] = memory_text(document["memory"].toObject());
    if (!document.contains("huge_pages")) return document;
    const auto pages = document["huge_pages"].toObject();
    QString used = "used";
    if (!pages["wanted"].toBool())
        used = "not wanted";
    else if (!pages["used"].toBool())
        used = "wanted and not used: " + pages["problem"].toString();
    document["huge_pages"] = used;
    return document;
}

Toned alerts_text(const QJsonObject& alerts) {
    const auto firing = number(alerts["firing"]);
    if (!alerts["enabled"].toBool()) return {"off", Tone::dim};
    if (firing == 0) return {"none firing", Tone::good};
    return {fmt::format("{} firing, {} not acknowledged; see snakepit-shm alerts", firing,
                        number(alerts["unacknowledged"])),
            Tone::bad};
}

// Of what the manager itself checks; `health` checks more, from outside.
Toned health_text(ManagerClient& client) {
    const auto report = client.report("health");
    if (!report) return {"not known: " + report.error().message, Tone::dim};
    const auto problems = parse_object(*report).value_or(QJsonObject{})["problems"].toArray();
    if (problems.isEmpty()) return {"no problems", Tone::good};
    const auto more = problems.size() - 1;
    return {fmt::format("{}{}; see snakepit-shm health", str(problems.first()["problem"]),
                        more == 0 ? "" : fmt::format(" and {} more", more)),
            Tone::bad};
}

Toned events_text(const QJsonObject& recorder) {
    if (const auto problem = str(recorder["problem"]); !problem.empty())
        return {"not recorded: " + problem, Tone::bad};
    const auto lag = number(recorder["lag"]);
    return fmt::format("{} recorded{}", number(recorder["recorded"]),
                       lag == 0 ? "" : fmt::format(", {} to be recorded", lag));
}

void print_summary(const QJsonObject& status, ManagerClient& client) {
    const auto limits = status["limits"].toObject();
    const auto orphans = number(status["orphans"]);
    const auto started = from_rfc3339(str(status["started_at"]));
    const auto space = status["shm_space"].toObject();
    print(std::vector<Toned>{
        {"●", Tone::good},
        fmt::format(" snakepit-shm {}, instance '{}', process {}", str(status["version"]),
                    str(status["instance"]), number(status["pid"]))});
    Table facts({"", ""});
    const auto add = [&facts](const char* name, Toned value) {
        facts.add({{name, Tone::title}, std::move(value)});
    };
    add("  Running", fmt::format("for {}, since {}", age(started.value_or(Timestamp{})),
                                 str(status["started_at"])));
    add("  Regions",
        {of_limit(fmt::format("{}", number(status["regions"])),
                  fmt::format("{}", number(limits["max_regions"])), limits["max_regions"]),
         fullness(number(status["regions"]), number(limits["max_regions"]))});
    add("  Memory",
        {of_limit(size_text(status["bytes_reserved"]), size_text(limits["max_total_memory"]),
                  limits["max_total_memory"]),
         fullness(number(status["bytes_reserved"]), number(limits["max_total_memory"]))});
    if (!space.isEmpty())
        add("  Space",
            {fmt::format("{} of {} free in {}", size_text(space["free"]), size_text(space["total"]),
                         str(status["shm_path"])),
             fullness(number(space["total"]) - number(space["free"]), number(space["total"]))});
    add("  Programs", fmt::format("{} connected, {}", number(status["clients"]),
                                  pluralize(number(status["references"]), "reference")));
    add("  Orphans",
        orphans == 0
            ? Toned("none")
            : Toned(fmt::format("{}; see snakepit-shm list state:orphan", orphans), Tone::warning));
    add("  Alerts", alerts_text(status["alerts"].toObject()));
    add("  Health", health_text(client));
    add("  Events", events_text(status["recorder"].toObject()));
    add("  Config", str(status["config_file"]).empty() ? Toned("built-in defaults")
                                                       : Toned(str(status["config_file"])));
    add("  Runtime", str(status["runtime_dir"]));
    add("  State", str(status["state_dir"]));
    print(facts);
    print("Details: snakepit-shm status --all. Live view: snakepit-shm top.\n");
}

Result<int> run_status(const Context& context, const StatusOptions& options) {
    SHM_ASSIGN(auto client, connect(context));
    SHM_ASSIGN(const auto report, client->report("status"));
    SHM_ASSIGN(const auto document, parse_object(report));
    if (context.json)
        print_json(document);
    else if (options.all)
        print(facts_of(shortened_report(document)));
    else
        print_summary(document, *client);
    return kDone;
}

}  // namespace

void add_status(Command& app) {
    auto& command = app.add("status", "Show whether the manager is running and how it is doing");
    auto& options = command.options<StatusOptions>();
    command.flag("--all", options.all, "Show everything that the manager reports");
    command.run(run_status, options);
}

}  // namespace snakepit::shm::cli
