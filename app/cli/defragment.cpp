// SPDX-License-Identifier: MIT
// defragment: moves idle regions together and shows what that changed.
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>

#include <fmt/format.h>

#include "base/pluralize.h"
#include "base/units.h"
#include "command.h"
#include "json.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

Result<QJsonObject> pool_of(ManagerClient& client) {
    SHM_ASSIGN(const auto report, client.report("arenas"));
    return QJsonDocument::fromJson(QByteArray::fromStdString(report)).object()["total"].toObject();
}

std::string line(const char* when, const QJsonObject& pool) {
    const auto bytes = [&](const char* key) {
        return format_size(static_cast<std::uint64_t>(pool[key].toDouble()));
    };
    return fmt::format("{}: {}, {} used, {} of holes between, {:.1f} % fragmented\n", when,
                       pluralize(static_cast<std::uint64_t>(pool["arenas"].toInteger()), "arena"),
                       bytes("used"), bytes("holes"), pool["fragmentation"].toDouble() * 100);
}

// "moved 2 regions, 8 KiB; released 1 arena; 3 regions are in use and were not moved".
std::string outcome(const DefragmentResult& result) {
    std::string out = "nothing had to be moved";
    if (result.moved > 0)
        out = fmt::format("moved {}, {}", pluralize(result.moved, "region"),
                          format_size(result.bytes));
    else if (result.in_use > 0)
        out = "nothing was moved";
    if (result.arenas_returned > 0)
        out += fmt::format("; released {}", pluralize(result.arenas_returned, "arena"));
    if (result.in_use > 0)
        out += fmt::format("; {} in use and not moved",
                           pluralize(result.in_use, "region is", "regions are"));
    return out + "\n";
}

Result<int> run(const Context& context) {
    SHM_ASSIGN(auto client, connect(context));
    SHM_ASSIGN(const auto before, pool_of(*client));
    SHM_ASSIGN(const auto result, client->defragment());
    SHM_ASSIGN(const auto after, pool_of(*client));
    if (context.json) {
        print_json({{"moved", static_cast<qint64>(result.moved)},
                    {"bytes", static_cast<qint64>(result.bytes)},
                    {"in_use", static_cast<qint64>(result.in_use)},
                    {"arenas_returned", static_cast<qint64>(result.arenas_returned)},
                    {"before", before},
                    {"after", after}});
        return kDone;
    }
    print(line("before", before) + line("after ", after) + outcome(result));
    return kDone;
}

}  // namespace

void add_defragment(Command& app) {
    app.add("defragment", "Move idle regions together, and release empty arenas").run(run);
}

}  // namespace snakepit::shm::cli
