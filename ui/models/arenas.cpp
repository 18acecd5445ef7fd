// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/arena_model.h"

#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>

#include "ui/models/user_names.h"

namespace snakepit::shm::ui {

namespace {

std::uint64_t number(const QJsonObject& object, const char* key) {
    return static_cast<std::uint64_t>(
        std::max<qint64>(0, object.value(QLatin1String(key)).toInteger()));
}

Arena arena_of(const QJsonObject& object) {
    return {object.value(u"name"_s).toString().toStdString(),
            static_cast<std::uint32_t>(number(object, "uid")),
            number(object, "size"),
            number(object, "used"),
            number(object, "holes"),
            number(object, "largest_free"),
            number(object, "reserved"),
            number(object, "dirty")};
}

template <typename Get>
constexpr auto bytes_column(const char* key, const char* title, Get get, const char* about) {
    return column<Arena, size_text>(key, title, get).with_about(about, 100);
}

constexpr std::array kTable{
    column<Arena>(
        "arena", "Arena", [](const Arena& a) -> auto& { return a.name; })
        .in_monospace(),
    column<Arena>("user", "User", [](const Arena& a) { return user_text(a.uid); }),
    column<Arena>("regions", "Regions", [](const Arena& a) { return a.regions; }),
    bytes_column(
        "size", "Size", [](const Arena& a) { return a.size; }, "Address space of the arena"),
    bytes_column(
        "used", "Used", [](const Arena& a) { return a.used; }, "Bytes of its regions"),
    bytes_column(
        "holes", "Holes", [](const Arena& a) { return a.holes; },
        "Free bytes before the end of the last region"),
    bytes_column(
        "largest_free", "Largest free", [](const Arena& a) { return a.largest_free; },
        "The largest region that fits"),
    bytes_column(
        "reserved", "In memory", [](const Arena& a) { return a.reserved; },
        "Bytes for which memory is taken"),
    bytes_column(
        "dirty", "To be zeroed", [](const Arena& a) { return a.dirty; },
        "Free bytes that regions used before; they are zeroed before the next one"),
};
static_assert(kTable.size() == kArenaColumns);

}  // namespace

Result<ArenaReport> parse_arenas(std::string_view json) {
    const auto document =
        QJsonDocument::fromJson(QByteArray(json.data(), static_cast<qsizetype>(json.size())));
    if (!document.isObject())
        return fail(ErrorCode::protocol_error, "the report on arenas could not be read",
                    "use a monitor and a manager of the same release");
    const auto object = document.object();
    ArenaReport out;
    for (const auto value : object.value(u"arenas"_s).toArray())
        out.arenas.push_back(arena_of(value.toObject()));
    const auto total = object.value(u"total"_s).toObject();
    out.total = arena_of(total);
    out.count = number(total, "arenas");
    out.fragmentation = total.value(u"fragmentation"_s).toDouble();
    return out;
}

std::span<const Column<Arena>> ArenaModel::columns() const {
    return kTable;
}

}  // namespace snakepit::shm::ui
