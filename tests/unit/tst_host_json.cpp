// SPDX-License-Identifier: MIT
// A survey of the host, there and back, and made up by anybody.
#include <QJsonArray>
#include <QJsonDocument>
#include <QtTest>

#include "diagnostics/host_json.h"

using namespace snakepit::shm;

namespace {

HostSegment system_v() {
    HostSegment segment;
    segment.kind = SegmentKind::system_v;
    segment.name = segment.label = "sysv:7";
    segment.size = 65536;
    segment.resident = 4096;
    segment.uid = 4'000'000'000;
    segment.user = "kim";
    segment.mode = 0640;
    segment.key = -1726560638;
    segment.attached = 2;
    segment.last_user = 4711;
    segment.names = {"sysv:7"};
    segment.removed = true;
    segment.creator = {42, SegmentCreator::KnownBy::kernel, Life::gone, {}, {}};
    segment.created = {1'700'000'000'000'001};
    segment.touched = {1'700'000'100'000'002};
    segment.verdict = SegmentVerdict::left_over;
    segment.confidence = 92;
    segment.confidence_if_unused = 97;
    segment.evidence = {"Process 42 ended.", "Nobody has it attached."};
    segment.advice = "Ask kim.";
    segment.payer = {
        SegmentPayer::KnownBy::earlier, "/docker/0123", "container 0123", GroupKind::container, {}};
    return segment;
}

HostSegment memfd() {
    HostSegment segment;
    segment.kind = SegmentKind::memfd;
    segment.name = "@4026532711:memfd:1:9000";
    segment.label = "memfd:pipewire";
    segment.device = 1;
    segment.inode = 9000;
    segment.name_space = 4026532711;
    segment.container = "docker 3f9c1d2a77b0";
    segment.unlinked = true;
    segment.users = {{77, 1000, "pipewire", UseKind::maps}, {78, 0, "sshd", UseKind::open}};
    segment.users_complete = false;
    segment.program = "PipeWire";
    segment.creator = {77, SegmentCreator::KnownBy::name, Life::lives, "pipewire", "user.slice"};
    segment.creator_may_live = true;
    segment.verdict = SegmentVerdict::in_use;
    segment.payer.reason = "It has no pages.";
    return segment;
}

QJsonObject object(const char* json) {
    return QJsonDocument::fromJson(json).object();
}

}  // namespace

class HostJson : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void a_survey_comes_back_as_it_was();
    void what_is_not_said_is_empty_and_numbers_stay_in_their_bounds();
    void what_is_no_survey_is_refused_data();
    void what_is_no_survey_is_refused();
};

void HostJson::a_survey_comes_back_as_it_was() {
    HostSurvey survey;
    survey.time = {1'700'000'200'000'003};
    survey.segments = {system_v(), memfd()};
    survey.processes = 212;
    survey.unreadable = 3;
    survey.shm_total = 16ULL << 30;
    survey.shm_free = 9'700'000'000;
    survey.limits = {"3 processes may not be looked at"};
    survey.balance.shmem = 8192;
    survey.balance.listed = 12288;  // some was given back while we looked
    survey.balance.anonymous = 4096;
    survey.balance.places = {{"/dev/shm", 0, 8192, 4096, 1 << 20, 4096, 510, 0},
                             {"/tmp/other", 4026532711, 4096, 0, 0, 0, 0, 0}};
    survey.balance.notes = {"1 descriptor waits in a socket of process 12 (x)."};
    survey.groups = {{"/docker/0123", "container 0123", GroupKind::container, 2, 8192, 1, 4096,
                      1 << 20, "/docker", 1 << 19, 1 << 18, "It is full."},
                     {"/", "the host", GroupKind::root, 1, 1, 0, 0, 0, {}, 0, 0, {}}};
    survey.system_v = {3, 4096, 12288, ~std::uint64_t{0}, 1 << 30};
    const auto json = host_json(survey);
    const auto back = parse_host(json);
    QVERIFY2(back, back ? "" : back.error().sentence().c_str());
    QCOMPARE(host_json(*back), json);
    QCOMPARE(back->time, survey.time);
    QCOMPARE(back->shm_free, survey.shm_free);
    QCOMPARE(back->groups.size(), std::size_t{2});
    QCOMPARE(back->groups.front().warning, "It is full.");
    QVERIFY(json["groups"].toArray().last().toObject()["limit"].isNull());
    QVERIFY(back->segments.front().payer.known_by == SegmentPayer::KnownBy::earlier);
    QCOMPARE(back->segments.back().payer.reason, "It has no pages.");
    const auto balance = json["balance"].toObject();
    QCOMPARE(balance["shmem"].toInteger(), 8192);
    QCOMPARE(balance["listed"].toInteger(), 12288);
    QCOMPARE(balance["unlisted"].toInteger(), -4096);
    const auto place = balance["places"].toArray().first().toObject();
    QCOMPARE(place["path"].toString(), "/dev/shm");
    QCOMPARE(place["used"].toInteger() - place["listed"].toInteger(), 4096);
    QCOMPARE(place["files_free"].toInteger(-1), 0);
    QVERIFY(balance["places"].toArray().last().toObject()["files_free"].isNull());
    QCOMPARE(balance["notes"].toArray().size(), 1);
    QCOMPARE(json["system_v"].toObject()["segments_limit"].toInteger(), 4096);
    QVERIFY(json["system_v"].toObject()["bytes_limit"].toInteger() > 0);
    const auto& first = back->segments.front();
    QCOMPARE(first.key, std::int64_t{-1726560638});
    QCOMPARE(first.uid, 4'000'000'000U);
    QCOMPARE(first.mode, 0640U);
    QCOMPARE(first.touched, Timestamp{1'700'000'100'000'002});
    QCOMPARE(first.evidence.size(), std::size_t{2});
    QCOMPARE(first.advice, "Ask kim.");
    const auto& second = back->segments.back();
    QCOMPARE(second.users.size(), std::size_t{2});
    QCOMPARE(second.users.front().program, "pipewire");
    QVERIFY(second.users.front().how == UseKind::maps && !second.users_complete);
    QCOMPARE(second.name_space, std::uint64_t{4026532711});
}

void HostJson::what_is_not_said_is_empty_and_numbers_stay_in_their_bounds() {
    const auto survey = parse_host(object(R"({"later": [], "shm_free": -5, "segments": [
        {"name": "a", "kind": "posix", "verdict": "kept"},
        {"name": "b", "kind": "sysv", "verdict": "unknown", "key": "[redacted]", "size": -1,
         "uid": 1e300, "confidence": 4000, "mode": "777777", "created_at": "yesterday",
         "users": [7, {"pid": "x"}], "evidence": {"a": 1}, "attached": 1e18}]})"));
    QVERIFY2(survey, survey ? "" : survey.error().sentence().c_str());
    QCOMPARE(survey->shm_free, std::uint64_t{0});
    QCOMPARE(survey->segments.size(), std::size_t{2});
    QCOMPARE(survey->segments[0].verdict, SegmentVerdict::kept);
    const auto& odd = survey->segments[1];
    QCOMPARE(odd.key, std::int64_t{0});
    QCOMPARE(odd.size, std::uint64_t{0});
    QCOMPARE(odd.confidence, 100);
    QCOMPARE(odd.mode, 07777U);
    QCOMPARE(odd.created.micros, std::int64_t{0});
    QCOMPARE(odd.users.size(), std::size_t{2});
    QVERIFY(odd.evidence.empty());
}

void HostJson::what_is_no_survey_is_refused_data() {
    QTest::addColumn<QString>("json");
    const auto row = [](const char* json) { QTest::newRow(json) << QString(json); };
    row("{}");
    row(R"({"segments": {}})");
    row(R"({"segments": [7]})");
    row(R"({"segments": [{"name": "a", "kind": "tape", "verdict": "kept"}]})");
    row(R"({"segments": [{"name": "a", "kind": "posix", "verdict": "guilty"}]})");
    row(R"({"segments": [{"name": "", "kind": "posix", "verdict": "kept"}]})");
}

void HostJson::what_is_no_survey_is_refused() {
    QFETCH(QString, json);
    const auto survey = parse_host(object(qPrintable(json)));
    QVERIFY(!survey);
    QCOMPARE(survey.error().code, ErrorCode::protocol_error);
}

QTEST_GUILESS_MAIN(HostJson)
#include "tst_host_json.moc"
