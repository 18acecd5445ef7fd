// SPDX-License-Identifier: MIT
#include "diagnostics/host_json.h"

#include <QJsonArray>
#include <algorithm>
#include <array>
#include <limits>

#include <fmt/format.h>

#include "json/json_values.h"

namespace snakepit::shm {

namespace {

constexpr int kOctal = 8;
constexpr std::array kKinds{SegmentKind::posix, SegmentKind::system_v, SegmentKind::memfd};
constexpr std::array kUses{UseKind::open, UseKind::maps, UseKind::attached};
constexpr std::array kKnownBy{SegmentCreator::KnownBy::nothing, SegmentCreator::KnownBy::kernel,
                              SegmentCreator::KnownBy::name, SegmentCreator::KnownBy::origin_log};
constexpr std::array kLives{Life::lives, Life::gone, Life::not_told};
constexpr std::array kGroupKinds{GroupKind::root, GroupKind::container, GroupKind::pod,
                                 GroupKind::unit, GroupKind::other};
constexpr std::array kPayerKnownBy{SegmentPayer::KnownBy::nothing, SegmentPayer::KnownBy::page,
                                   SegmentPayer::KnownBy::earlier};
constexpr std::array kVerdicts{SegmentVerdict::in_use, SegmentVerdict::ours, SegmentVerdict::kept,
                               SegmentVerdict::left_over, SegmentVerdict::unknown};

QJsonValue json(std::uint64_t number) {
    return static_cast<qint64>(number);
}
QJsonValue json(Timestamp time) {
    return time.micros == 0 ? QJsonValue() : QJsonValue(text(to_rfc3339(time)));
}
QJsonValue or_null(std::string_view value) {
    return value.empty() ? QJsonValue() : QJsonValue(text(value));
}

QJsonArray users_json(const std::vector<SegmentUser>& users) {
    QJsonArray out;
    for (const auto& user : users)
        out.append(QJsonObject{{"pid", static_cast<qint64>(user.pid)},
                               {"uid", static_cast<qint64>(user.uid)},
                               {"program", text(user.program)},
                               {"how", text(to_string(user.how))}});
    return out;
}

QJsonArray sentences_json(const std::vector<std::string>& sentences) {
    QJsonArray out;
    for (const auto& sentence : sentences) out.append(text(sentence));
    return out;
}

// The members of one object, each empty where it is absent or of another type.
class Fields {
  public:
    explicit Fields(const QJsonObject& object) : object_(object) {}
    std::string text(const char* name) const { return value(name).toString().toStdString(); }
    bool flag(const char* name) const { return value(name).toBool(); }
    std::int64_t whole(const char* name) const { return value(name).toInteger(); }
    // Not negative, and no more than `most`.
    std::uint64_t count(const char* name,
                        std::int64_t most = std::numeric_limits<std::int64_t>::max()) const {
        return static_cast<std::uint64_t>(std::clamp<std::int64_t>(whole(name), 0, most));
    }
    std::uint32_t uid(const char* name) const {
        return static_cast<std::uint32_t>(count(name, std::numeric_limits<std::uint32_t>::max()));
    }
    int percent(const char* name) const { return static_cast<int>(count(name, 100)); }
    Timestamp time(const char* name) const {
        return from_rfc3339(text(name)).value_or(Timestamp{});
    }
    QJsonArray list(const char* name) const { return value(name).toArray(); }
    std::vector<std::string> sentences(const char* name) const {
        std::vector<std::string> out;
        for (const auto& sentence : list(name)) out.push_back(sentence.toString().toStdString());
        return out;
    }

  private:
    QJsonValue value(const char* name) const { return object_[QLatin1String(name)]; }
    const QJsonObject& object_;
};

// The value with this spelling.
template <typename T, std::size_t N>
Status choose(const Fields& fields, const char* name, const std::array<T, N>& all, T& out) {
    const auto word = fields.text(name);
    const auto found =
        std::find_if(all.begin(), all.end(), [&](T one) { return to_string(one) == word; });
    if (found == all.end())
        return fail(ErrorCode::protocol_error,
                    fmt::format("a segment has an unknown {} '{}'", name, word.substr(0, 40)));
    out = *found;
    return {};
}

// A bundle's survey may have none.
QJsonValue creator_json(const SegmentCreator& creator) {
    if (creator.pid == 0) return {};
    return QJsonObject{{"pid", static_cast<qint64>(creator.pid)},
                       {"program", or_null(creator.program)},
                       {"cgroup", or_null(creator.cgroup)},
                       {"known_by", or_null(to_string(creator.known_by))},
                       {"life", text(to_string(creator.life))}};
}

void read_creator(const QJsonObject& object, SegmentCreator& creator) {
    const Fields fields(object);
    creator.pid = fields.whole("pid");
    creator.program = fields.text("program");
    creator.cgroup = fields.text("cgroup");
    // Another release may have further values.
    (void)choose(fields, "known_by", kKnownBy, creator.known_by);
    (void)choose(fields, "life", kLives, creator.life);
}

QJsonValue payer_json(const SegmentPayer& payer) {
    if (payer.group.empty() && payer.reason.empty()) return {};  // it was not looked for
    const bool told = !payer.group.empty();
    return QJsonObject{{"group", or_null(payer.group)},
                       {"name", or_null(payer.name)},
                       {"kind", told ? QJsonValue(text(to_string(payer.kind))) : QJsonValue()},
                       {"known_by", or_null(to_string(payer.known_by))},
                       {"reason", or_null(payer.reason)}};
}

void read_payer(const QJsonObject& object, SegmentPayer& payer) {
    const Fields fields(object);
    payer.group = fields.text("group");
    payer.name = fields.text("name");
    payer.reason = fields.text("reason");
    // Another release may have further values.
    (void)choose(fields, "kind", kGroupKinds, payer.kind);
    (void)choose(fields, "known_by", kPayerKnownBy, payer.known_by);
}

QJsonObject group_json(const PayingGroup& group) {
    return {{"group", text(group.group)},
            {"name", text(group.name)},
            {"kind", text(to_string(group.kind))},
            {"segments", json(group.segments)},
            {"bytes", json(group.bytes)},
            {"left_over", json(group.left_over)},
            {"left_over_bytes", json(group.bytes_left)},
            {"limit", group.limit == 0 ? QJsonValue() : json(group.limit)},
            {"limited_group", or_null(group.limited)},
            {"limit_used", group.limit == 0 ? QJsonValue() : json(group.used)},
            {"limit_shared", group.limit == 0 ? QJsonValue() : json(group.shared)},
            {"warning", or_null(group.warning)}};
}

PayingGroup group_from(const QJsonObject& object) {
    const Fields fields(object);
    PayingGroup out;
    out.group = fields.text("group");
    out.name = fields.text("name");
    (void)choose(fields, "kind", kGroupKinds, out.kind);
    out.segments = fields.count("segments");
    out.bytes = fields.count("bytes");
    out.left_over = fields.count("left_over");
    out.bytes_left = fields.count("left_over_bytes");
    out.limit = fields.count("limit");
    out.limited = fields.text("limited_group");
    out.used = fields.count("limit_used");
    out.shared = fields.count("limit_shared");
    out.warning = fields.text("warning");
    return out;
}

void read_users(const Fields& fields, HostSegment& segment) {
    for (const auto& value : fields.list("users")) {
        const auto object = value.toObject();
        const Fields user(object);
        SegmentUser one{user.whole("pid"), user.uid("uid"), user.text("program"), {}};
        (void)choose(user, "how", kUses, one.how);
        segment.users.push_back(std::move(one));
    }
    segment.users_complete = fields.flag("users_complete");
    segment.attached = fields.count("attached");
    segment.last_user = fields.whole("last_user_pid");
}

void read_identity(const Fields& fields, HostSegment& segment) {
    segment.names = fields.sentences("names");
    segment.label = fields.text("label");
    segment.size = fields.count("size");
    segment.resident = fields.count("resident");
    segment.swapped = fields.count("swapped");
    segment.huge_pages = fields.flag("huge_pages");
    segment.uid = fields.uid("uid");
    segment.user = fields.text("user");
    segment.mode = QString::fromStdString(fields.text("mode")).toUInt(nullptr, kOctal) & 07777U;
    segment.device = fields.count("device");
    segment.inode = fields.count("inode");
    segment.key = fields.whole("key");
    segment.unlinked = fields.flag("unlinked");
    segment.removed = fields.flag("removed");
    segment.links = fields.count("links");
    segment.name_space = fields.count("namespace");
    segment.container = fields.text("container");
}

Result<HostSegment> segment_from(const QJsonObject& object) {
    const Fields fields(object);
    HostSegment segment;
    segment.name = fields.text("name");
    if (segment.name.empty()) return fail(ErrorCode::protocol_error, "a segment has no name");
    SHM_TRY(choose(fields, "kind", kKinds, segment.kind));
    SHM_TRY(choose(fields, "verdict", kVerdicts, segment.verdict));
    read_identity(fields, segment);
    read_creator(object[QLatin1String("creator")].toObject(), segment.creator);
    read_payer(object[QLatin1String("payer")].toObject(), segment.payer);
    read_users(fields, segment);
    segment.creator_may_live = fields.flag("creator_may_live");
    segment.created = fields.time("created_at");
    segment.touched = fields.time("touched_at");
    segment.program = fields.text("program");
    segment.confidence = fields.percent("confidence");
    segment.confidence_if_unused = fields.percent("confidence_if_unused");
    segment.evidence = fields.sentences("evidence");
    segment.advice = fields.text("advice");
    return segment;
}

// The largest number that JSON represents exactly stands for "no limit".
QJsonValue limit_json(std::uint64_t limit) {
    constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    return limit == 0 ? QJsonValue() : json(std::min(limit, kMost));
}

QJsonObject place_json(const MemoryPlace& place) {
    return {{"path", text(place.path)},
            {"namespace", place.name_space == 0 ? QJsonValue() : json(place.name_space)},
            {"used", json(place.used)},
            {"listed", json(place.listed)},
            {"total", json(place.total)},
            {"free", json(place.free)},
            {"files_total", place.files_total == 0 ? QJsonValue() : json(place.files_total)},
            {"files_free", place.files_total == 0 ? QJsonValue() : json(place.files_free)}};
}

QJsonObject balance_json(const MemoryBalance& balance) {
    QJsonArray places;
    for (const auto& place : balance.places) places.append(place_json(place));
    return {{"shmem", json(balance.shmem)},
            {"listed", json(balance.listed)},
            {"unlisted", static_cast<qint64>(balance.unlisted())},
            {"anonymous", json(balance.anonymous)},
            {"places", places},
            {"notes", sentences_json(balance.notes)}};
}

void read_balance(const QJsonObject& object, MemoryBalance& balance) {
    const Fields fields(object);
    balance.shmem = fields.count("shmem");
    balance.listed = fields.count("listed");
    balance.anonymous = fields.count("anonymous");
    balance.notes = fields.sentences("notes");
    for (const auto& value : fields.list("places")) {
        const auto place_object = value.toObject();
        const Fields place(place_object);
        balance.places.push_back({place.text("path"), place.count("namespace"), place.count("used"),
                                  place.count("listed"), place.count("total"), place.count("free"),
                                  place.count("files_total"), place.count("files_free")});
    }
}

QJsonObject system_v_json(const SystemVLimits& limits) {
    return {{"segments", json(limits.segments)},
            {"segments_limit", limit_json(limits.most_segments)},
            {"bytes", json(limits.bytes)},
            {"bytes_limit", limit_json(limits.most_bytes)},
            {"largest_segment_limit", limit_json(limits.largest)}};
}

void read_system_v(const QJsonObject& object, SystemVLimits& limits) {
    const Fields fields(object);
    limits = {fields.count("segments"), fields.count("segments_limit"), fields.count("bytes"),
              fields.count("bytes_limit"), fields.count("largest_segment_limit")};
}

}  // namespace

QJsonObject host_segment_json(const HostSegment& segment) {
    const bool system_v = segment.kind == SegmentKind::system_v;
    const auto pid = [](std::int64_t number) { return QJsonValue(static_cast<qint64>(number)); };
    return {{"kind", text(to_string(segment.kind))},
            {"name", text(segment.name)},
            {"names", sentences_json(segment.names)},
            {"label", text(segment.label)},
            {"size", json(segment.size)},
            {"resident", json(segment.resident)},
            {"swapped", system_v ? json(segment.swapped) : QJsonValue()},
            {"huge_pages", segment.huge_pages},
            {"uid", static_cast<qint64>(segment.uid)},
            {"user", text(segment.user)},
            {"mode", text(fmt::format("{:04o}", segment.mode))},
            {"device", system_v ? QJsonValue() : json(segment.device)},
            {"inode", system_v ? QJsonValue() : json(segment.inode)},
            {"key", system_v ? QJsonValue(static_cast<qint64>(segment.key)) : QJsonValue()},
            {"attached", system_v ? json(segment.attached) : QJsonValue()},
            {"last_user_pid", system_v ? pid(segment.last_user) : QJsonValue()},
            {"unlinked", segment.unlinked},
            {"namespace", segment.name_space == 0 ? QJsonValue() : json(segment.name_space)},
            {"container", or_null(segment.container)},
            {"removed", segment.removed},
            {"links", system_v ? QJsonValue() : json(segment.links)},
            {"creator", creator_json(segment.creator)},
            {"creator_may_live", segment.creator_may_live},
            {"payer", payer_json(segment.payer)},
            {"created_at", json(segment.created)},
            {"touched_at", json(segment.touched)},
            {"users", users_json(segment.users)},
            {"users_complete", segment.users_complete},
            {"program", or_null(segment.program)},
            {"verdict", text(to_string(segment.verdict))},
            {"confidence", segment.confidence},
            {"confidence_if_unused", segment.confidence_if_unused},
            {"evidence", sentences_json(segment.evidence)},
            {"advice", or_null(segment.advice)}};
}

QJsonObject host_json(const HostSurvey& survey) {
    QJsonArray segments, groups, others;
    for (const auto& segment : survey.segments) segments.append(host_segment_json(segment));
    for (const auto& group : survey.groups) groups.append(group_json(group));
    for (const auto& other : survey.others)
        others.append(QJsonObject{{"name", text(other.name)}, {"kind", text(other.kind)}});
    return {{"time", json(survey.time)},
            {"segments", segments},
            {"groups", groups},
            {"others", others},
            {"processes", json(survey.processes)},
            {"unreadable_processes", json(survey.unreadable)},
            {"shm_total", json(survey.shm_total)},
            {"shm_free", json(survey.shm_free)},
            {"balance", balance_json(survey.balance)},
            {"system_v", system_v_json(survey.system_v)},
            {"limits", sentences_json(survey.limits)}};
}

Result<HostSurvey> parse_host(const QJsonObject& object) {
    if (!object[QLatin1String("segments")].isArray())
        return fail(ErrorCode::protocol_error, "the host survey has no list of segments");
    const Fields fields(object);
    HostSurvey survey;
    survey.time = fields.time("time");
    survey.processes = fields.count("processes");
    survey.unreadable = fields.count("unreadable_processes");
    survey.shm_total = fields.count("shm_total");
    survey.shm_free = fields.count("shm_free");
    survey.limits = fields.sentences("limits");
    read_balance(object[QLatin1String("balance")].toObject(), survey.balance);
    read_system_v(object[QLatin1String("system_v")].toObject(), survey.system_v);
    for (const auto& value : fields.list("groups"))
        survey.groups.push_back(group_from(value.toObject()));
    for (const auto& value : fields.list("others")) {
        const auto entry = value.toObject();
        const Fields other(entry);
        survey.others.push_back({other.text("name"), other.text("kind")});
    }
    for (const auto& value : fields.list("segments")) {
        SHM_ASSIGN(auto segment, segment_from(value.toObject()));
        survey.segments.push_back(std::move(segment));
    }
    return survey;
}

}  // namespace snakepit::shm
