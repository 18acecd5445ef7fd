// SPDX-License-Identifier: MIT
// Rules as people write them.
#include <QtTest>

#include "alerts/alert.h"
#include "alerts/alert_api.h"

using namespace snakepit::shm;

class AlertRules : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void the_default_set_is_valid_and_reads_back_as_it_is_written();
    void a_rule_reads_back_as_it_was_written();
    void durations_are_read_as_people_write_them();
    void wrong_rules_are_refused_with_the_field_named_data();
    void wrong_rules_are_refused_with_the_field_named();
    void alerts_and_silences_read_back_as_they_were_written();
    void conditions_are_said_in_words();
    void requests_name_what_is_wrong_with_them();
};

void AlertRules::the_default_set_is_valid_and_reads_back_as_it_is_written() {
    QVERIFY(default_rules().size() > 15);
    for (const auto& rule : default_rules()) {
        const auto checked = check(rule);
        QVERIFY2(checked, checked ? "" : checked.error().message.c_str());
        QVERIFY(!rule.title.empty() && !rule.remedy.empty() && rule.built_in);
        const auto again = parse_rule(to_json(rule));
        QVERIFY2(again, again ? "" : again.error().message.c_str());
        QVERIFY2(*again == rule, rule.name.c_str());
    }
}

void AlertRules::a_rule_reads_back_as_it_was_written() {
    AlertRule rule;
    rule.name = "many-refusals";
    rule.title = "A \"strange\" user – ü";
    rule.severity = AlertSeverity::critical;
    rule.event = EventKind::client_gone;
    rule.count_at_least = 3;
    rule.comparison = AlertComparison::at_least;
    rule.threshold = 2.5;
    rule.resolve_threshold = 0.25;
    rule.for_ms = 1;
    rule.resolve_for_ms = 2000;
    rule.window_ms = 3'600'000;
    rule.group = AlertGroup::process;
    rule.enabled = false;
    rule.remedy = "look";
    const auto again = parse_rule(to_json(rule));
    QVERIFY2(again, again ? "" : again.error().message.c_str());
    QVERIFY(*again == rule);
    const auto list = parse_rules("{\"rules\":[" + to_json(rule) + "," + to_json(rule) + "]}");
    QVERIFY(list);
    QCOMPARE(list->size(), std::size_t{2});
}

void AlertRules::durations_are_read_as_people_write_them() {
    const auto rule = parse_rule(R"({"name":"a","metric":"regions","comparison":">=","threshold":3,
        "for_ms":"5m","resolve_for_ms":250,"window_ms":"2h"})");
    QVERIFY(rule);
    QCOMPARE(rule->for_ms, std::int64_t{300'000});
    QCOMPARE(rule->resolve_for_ms, std::int64_t{250});
    QCOMPARE(rule->window_ms, std::int64_t{7'200'000});
    QVERIFY(rule->comparison == AlertComparison::at_least && rule->enabled);
}

void AlertRules::wrong_rules_are_refused_with_the_field_named_data() {
    QTest::addColumn<QByteArray>("json");
    QTest::addColumn<QByteArray>("complaint");
    const auto row = [](const char* name, const char* rest, const char* complaint,
                        const char* base =
                            R"("name":"a","metric":"regions","comparison":">","threshold":3)") {
        QTest::newRow(name) << QByteArray("{") + base + rest + "}" << QByteArray(complaint);
    };
    const auto metric = [&](const char* name, const char* fields, const char* complaint) {
        row(name, fields, complaint, R"("name":"a","comparison":">")");
    };
    QTest::newRow("no json") << QByteArray("{\n  \"name\" }") << QByteArray("the rule:2:");
    QTest::newRow("a list") << QByteArray("[]") << QByteArray("expected a JSON object");
    row("unknown field", R"(,"treshold":4)", "'treshold'");
    row("wrong type", R"(,"for_ms":true)", "'for_ms'");
    row("no duration", R"(,"for_ms":"soon")", "'for_ms'");
    row("negative duration", R"(,"for_ms":-1)", "'for_ms'");
    row("long duration", R"(,"for_ms":"2d")", "'for_ms'");
    row("short window", R"(,"window_ms":10)", "'window_ms'");
    row("flag in quotes", R"(,"enabled":"true")", "'enabled'");
    row("unknown severity", R"(,"severity":"bad")", "'severity'");
    row("unknown group", R"(,"group":"galaxy")", "'group'");
    row("group of one figure", R"(,"group":"user")", "'group'");
    row("metric and event", R"(,"event":"refused")", "'event'");
    row("count of a metric", R"(,"count_at_least":1)", "'count_at_least'");
    row("resolved on the wrong side", R"(,"resolve_threshold":4)", "'resolve_threshold'");
    row("never resolved", R"(,"resolve_threshold":-1)", "'resolve_threshold'");
    row("two lines", R"(,"title":"a\nb")", "'title'");
    metric("nothing watched", R"(,"threshold":3)", "'metric'");
    metric("unknown metric", R"(,"threshold":3,"metric":"regoins")", "'metric'");
    metric("unknown event", R"(,"threshold":3,"event":"flood")", "'event'");
    metric("about alerts", R"(,"threshold":3,"event":"alert_fired")", "'event'");
    metric("subject of an event", R"(,"threshold":3,"event":"refused","group":"subject")",
           "'group'");
    metric("no threshold", R"(,"metric":"regions")", "'threshold'");
    metric("threshold in quotes", R"(,"metric":"regions","threshold":"3")", "'threshold'");
    metric("per cent", R"(,"metric":"memory_ratio","threshold":90)", "'threshold'");
    metric("negative", R"(,"metric":"regions","threshold":-1)", "'threshold'");
    const auto whole = [](const char* name, const char* json, const char* complaint) {
        QTest::newRow(name) << QByteArray(json) << QByteArray(complaint);
    };
    whole("below nothing", R"({"name":"a","metric":"regions","comparison":"<","threshold":0})",
          "'threshold'");
    whole("always", R"({"name":"a","event":"refused","comparison":">=","threshold":0})",
          "'threshold'");
    whole("no comparison", R"({"name":"a","metric":"regions","threshold":0})", "'comparison'");
    whole("unknown comparison",
          R"({"name":"a","metric":"regions","comparison":"==","threshold":0})", "'comparison'");
    whole("name with a space",
          R"({"name":"a b","metric":"regions","comparison":">","threshold":0})", "'name'");
    whole("no name", R"({"name":"","metric":"regions","comparison":">","threshold":0})", "'name'");
    whole("who never does",
          R"({"name":"a","event":"refused","group":"user","comparison":"<","threshold":3})",
          "'group'");
}

void AlertRules::wrong_rules_are_refused_with_the_field_named() {
    QFETCH(QByteArray, json);
    QFETCH(QByteArray, complaint);
    const auto rule = parse_rule(json.toStdString());
    QVERIFY(!rule);
    QVERIFY(rule.error().code == ErrorCode::alert_rule_invalid);
    QVERIFY2(rule.error().message.find(complaint.toStdString()) != std::string::npos,
             rule.error().message.c_str());
    QVERIFY2(!rule.error().remedy.empty(), rule.error().message.c_str());
}

void AlertRules::alerts_and_silences_read_back_as_they_were_written() {
    Alert alert;
    alert.id = 7;
    alert.rule = "a";
    alert.title = "T";
    alert.severity = AlertSeverity::critical;
    alert.state = Alert::State::firing;
    alert.subject = "py\x01thon \"x\"";
    alert.value = 0.125;
    alert.worst = 1e18;
    alert.threshold = 0.1;
    alert.unit = "ratio";
    alert.evidence = "so";
    alert.remedy = "do";
    alert.since = {1'700'000'000'000'001};
    alert.fired_at = {1'700'000'000'000'002};
    alert.acknowledged_by = "alice";
    alert.acknowledgement = "known";
    alert.acknowledged_at = {1'700'000'000'000'003};
    alert.silenced = alert.flapping = true;
    alert.times_fired = 9;
    const auto list = parse_alerts("{\"alerts\":[" + to_json(alert) + "],\"more\":false}");
    QVERIFY2(list, list ? "" : list.error().message.c_str());
    QCOMPARE(QByteArray::fromStdString(to_json(list->front())),
             QByteArray::fromStdString(to_json(alert)));
    AlertSilence silence{3, "a", "b", {1'700'000'000'000'001}, "alice", "why", {5}};
    auto again = parse_silence(to_json(silence));
    QVERIFY(again);
    QCOMPARE(to_json(*again), to_json(silence));
    silence.until = {};
    again = parse_silence(to_json(silence));
    QVERIFY(again && again->until.micros == 0);
    QVERIFY(!parse_alerts("{}"));
    QVERIFY(!parse_alerts("{\"alerts\":[3]}"));
}

void AlertRules::conditions_are_said_in_words() {
    const auto words = [](const char* json) { return condition_text(*parse_rule(json)); };
    QCOMPARE(words(R"({"name":"a","metric":"host_shm_ratio","comparison":">","threshold":0.9,
                       "for_ms":"1m"})"),
             std::string("host_shm_ratio > 90 % for 60 s"));
    QCOMPARE(words(R"({"name":"a","event":"refused","comparison":">=","threshold":3})"),
             std::string("refused >= 3 in 60 s"));
    QCOMPARE(value_text(1536, "bytes"), std::string("1.5 KiB"));
    QCOMPARE(value_text(0.0123, "seconds"), std::string("12.3 ms"));
    QCOMPARE(value_text(3.4, "seconds"), std::string("3.4 s"));
}

void AlertRules::requests_name_what_is_wrong_with_them() {
    QVERIFY(parse_history("{}"));
    QCOMPARE(parse_history("{}")->limit, kHistoryPage);
    QVERIFY(!parse_history(R"({"limit":0})"));
    QVERIFY(!parse_history(R"({"limit":100000})"));
    QVERIFY(!parse_history(R"({"page":1})"));
    QVERIFY(!parse_acknowledgement("{}"));
    QVERIFY(parse_acknowledgement(R"({"id":4})"));
    QVERIFY(!parse_silencing(R"({"until":"2001-01-01T00:00:00Z"})"));
    QVERIFY(parse_silencing(R"({"until":null})"));
    QVERIFY(!parse_silencing(R"({"until":"later"})"));
    QVERIFY(!parse_nothing("nonsense"));
    QVERIFY(access_needed("list") == AlertAccess::view);
    QVERIFY(access_needed("ack") == AlertAccess::respond);
    QVERIFY(access_needed("set_rule") == AlertAccess::configure);
    QVERIFY(access_needed("?") == AlertAccess::configure);
}

QTEST_GUILESS_MAIN(AlertRules)
#include "tst_alert_rules.moc"
