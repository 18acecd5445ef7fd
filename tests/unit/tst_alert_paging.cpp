// SPDX-License-Identifier: MIT
// What is answered in pages is put together, and no page is asked for twice.
#include <QtTest>

#include <fmt/format.h>

#include "alerts/alert_api.h"

using namespace snakepit::shm;

namespace {

AlertRule rule_named(std::string name) {
    AlertRule rule;
    rule.name = std::move(name);
    rule.metric = "regions";
    rule.threshold = 1;
    return rule;
}

Alert alert(std::uint64_t id) {
    Alert out;
    out.id = id;
    out.rule = "many";
    out.state = Alert::State::firing;
    return out;
}

// A manager with these alerts, which answers at most three at a time.
Result<std::string> answer(const std::vector<Alert>& all, const std::string& arguments) {
    SHM_ASSIGN(const auto query, parse_history(arguments));
    AlertPage page;
    for (const auto& one : all) {
        if (query.before != 0 && one.id >= query.before) continue;
        page.more = page.alerts.size() == std::min<std::uint64_t>(query.limit, 3);
        if (page.more) break;
        page.alerts.push_back(one);
        page.before = one.id;
    }
    return to_json(page);
}

}  // namespace

class AlertPaging : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void a_history_is_as_long_as_it_was_asked_for();
    void rules_come_page_by_page();
    void a_refusal_is_passed_on();
    void documents_of_lists_are_read_as_they_were_written();
};

void AlertPaging::a_history_is_as_long_as_it_was_asked_for() {
    std::vector<Alert> all;
    for (std::uint64_t id = 10; id > 0; --id) all.push_back(alert(id));
    int asked = 0;
    const AlertAsk ask = [&](const std::string&, const std::string& arguments) {
        ++asked;
        return answer(all, arguments);
    };
    HistoryQuery query;
    query.limit = 1000;
    const auto whole = ask_history(ask, query);
    QVERIFY2(whole, whole ? "" : whole.error().sentence().c_str());
    QCOMPARE(whole->alerts.size(), all.size());
    QVERIFY(!whole->more);
    QCOMPARE(asked, 4);
    query.limit = 5;
    query.before = 9;
    const auto part = ask_history(ask, query);
    QVERIFY(part);
    QCOMPARE(part->alerts.size(), std::size_t{5});
    QCOMPARE(part->alerts.front().id, std::uint64_t{8});
    QCOMPARE(part->before, std::uint64_t{4});
    QVERIFY(part->more);
}

void AlertPaging::rules_come_page_by_page() {
    const AlertAsk ask = [](const std::string&,
                            const std::string& arguments) -> Result<std::string> {
        SHM_ASSIGN(const auto from, parse_from(arguments));
        return fmt::format(R"({{"rules":[{}],"more":{},"from":"{}"}})",
                           to_json(rule_named(from.empty() ? "a" : from)), from != "c",
                           from.empty() ? "b" : "c");
    };
    const auto rules = ask_rules(ask);
    QVERIFY2(rules, rules ? "" : rules.error().sentence().c_str());
    QCOMPARE(rules->size(), std::size_t{3});
    QCOMPARE(rules->back().name, "c");
}

void AlertPaging::a_refusal_is_passed_on() {
    const AlertAsk ask = [](const std::string&, const std::string&) -> Result<std::string> {
        return fail(ErrorCode::permission_denied, "not for you");
    };
    HistoryQuery query;
    query.limit = 1;
    QCOMPARE(ask_history(ask, query).error().code, ErrorCode::permission_denied);
    QCOMPARE(ask_rules(ask).error().code, ErrorCode::permission_denied);
    const AlertAsk garbage = [](const std::string&, const std::string&) { return "garbage"; };
    QVERIFY(!ask_history(garbage, query));
    QVERIFY(!ask_rules(garbage));
}

void AlertPaging::documents_of_lists_are_read_as_they_were_written() {
    AlertSilence silence;
    silence.id = 3;
    silence.comment = "a \"comment\"";
    const auto silences = parse_silences(to_json(std::vector{silence, silence}));
    QVERIFY(silences && silences->size() == 2);
    QCOMPARE(silences->back().comment, silence.comment);
    const auto alerts = parse_alerts(to_json(std::vector{alert(7)}));
    QVERIFY(alerts && alerts->size() == 1 && alerts->front().id == 7);
    const auto rules = parse_rules(to_json(std::vector{rule_named("a"), rule_named("b")}));
    QVERIFY2(rules && rules->size() == 2, rules ? "" : rules.error().sentence().c_str());
    QVERIFY(parse_alerts(to_json(std::vector<Alert>{}))->empty());
}

QTEST_GUILESS_MAIN(AlertPaging)
#include "tst_alert_paging.moc"
