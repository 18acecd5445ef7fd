// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/client_model.h"

#include "layout/client_words.h"

namespace snakepit::shm::ui {

namespace {

using Row = const ClientRow&;

template <auto Show = Plain{}, typename Get>
constexpr auto make(const char* key, const char* title, Get get) {
    return column<ClientRow, Show>(key, title, get);
}

QString status_text(Row row) {
    return to_qstring(status_of(row));
}

Severity status_severity(Row row) {
    if (row.info.hostile) return Severity::bad;
    return row.info.connected ? Severity::good : Severity::caution;
}

QString holds_text(Row row) {
    if (row.info.pid == 0) return QObject::tr("unknown");  // holders are named by process id
    if (row.use.regions == 0) return QObject::tr("nothing");
    return QObject::tr("%1 to %2")
        .arg(pluralize(row.use.references, "reference", "references"),
             pluralize(row.use.regions, "region", "regions"));
}

QString size_or_dash(std::uint64_t bytes) {
    return bytes ? size_text(bytes) : u"–"_s;
}

constexpr std::array kColumns{
    make("process", "Program", [](Row r) { return program_text(r.info.process, r.info.pid); })
        .sorted_by([](Row r) { return SortKey::of(r.info.process); }),
    make("pid", "PID", [](Row r) { return r.info.pid; }),
    make("status", "Status", [](Row r) { return status_text(r); })
        .sorted_by([](Row r) { return SortKey::of(status_severity(r)); })
        .as_chip(status_severity),
    make("holds", "Holds", [](Row r) { return r.use.references; })
        .to_the_left()
        .shown_as(holds_text)
        .muted_if([](Row r) { return r.use.regions == 0; }),
    make<size_or_dash>("bytes", "Memory held", [](Row r) { return r.use.bytes; }),
    make("owned", "Owns", [](Row r) { return r.use.owned; }),
    make(
        "worker", "Worker", [](Row r) -> auto& { return r.info.worker; }),
    make(
        "pool", "Pool", [](Row r) -> auto& { return r.info.pool; }),
    make(
        "session", "Session", [](Row r) -> auto& { return r.info.session; }),
    make("uid", "User", [](Row r) { return r.info.uid; }),
    age_column<ClientRow>("connected_at", "Connected", [](Row r) { return r.info.connected_at; }),
};
static_assert(kColumns.size() == kClientColumns);

std::unordered_map<std::int64_t, ClientUse> uses_by_pid(const RegionStore& regions) {
    std::unordered_map<std::int64_t, ClientUse> uses;
    for (Slot slot = 0; slot < regions.frontier(); ++slot) {
        const auto* entry = regions.at(slot);
        if (!entry) continue;
        const auto& info = entry->row.info;
        if (info.owner_pid != 0) ++uses[info.owner_pid].owned;
        for (const auto& holder : info.references) {
            auto& use = uses[holder.pid];
            use.references += holder.count;
            use.regions += 1;
            use.bytes += info.size;
        }
    }
    return uses;
}

}  // namespace

std::string_view status_of(const ClientRow& row) {
    if (row.info.hostile) return "hostile";
    return row.info.connected ? "connected" : kNotReconnected;
}

void ClientModel::set_filter(ClientFilter filter) {
    filter_ = std::move(filter);
    refilter();
}

void ClientModel::refresh(Workspace& workspace) {
    const auto uses = uses_by_pid(workspace.regions());
    std::vector<ClientRow> rows;
    for (const auto& client : workspace.clients()) {
        const auto use = client.pid == 0 ? uses.end() : uses.find(client.pid);
        rows.push_back({client, use == uses.end() ? ClientUse{} : use->second});
    }
    show(rows);
}

std::span<const Column<ClientRow>> ClientModel::columns() const {
    return kColumns;
}

}  // namespace snakepit::shm::ui
