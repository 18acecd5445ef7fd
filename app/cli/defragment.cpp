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
    print(line("before", before) + line("after ", after));
    print(fmt::format("moved {} of {}; {} in use and stayed; {} returned\n",
                      pluralize(result.moved, "region"), format_size(result.bytes),
                      result.in_use == 1 ? "1 is" : fmt::format("{} are", result.in_use),
                      pluralize(result.arenas_returned, "arena")));
    return kDone;
}

}  // namespace

void add_defragment(Command& app) {
    app.add("defragment", "Move idle regions together, and release empty arenas").run(run);
}

}  // namespace snakepit::shm::cli
