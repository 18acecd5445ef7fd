// SPDX-License-Identifier: MIT
// What scripts rely on, with a manager running.
#include <QJsonArray>
#include <QtTest>

#include "service_fixture.h"

using namespace snakepit::shm::test;

namespace {

const QString kUnknownId = "shm_1700000000000000_0123456789abcdef";

QStringList missing(const QJsonObject& object, const QStringList& fields) {
    QStringList out;
    for (const auto& field : fields)
        if (!object.contains(field)) out += field;
    return out;
}

const QStringList kRegionFields{"id",
                                "size",
                                "created_at",
                                "last_accessed",
                                "access_count",
                                "reference_count",
                                "owner_pid",
                                "permissions",
                                "security_level",
                                "cleanup_policy",
                                "metadata",
                                "actual_size",
                                "access_mode",
                                "platform_handle",
                                "state",
                                "placement",
                                "arena",
                                "offset",
                                "sealed",
                                "session",
                                "worker",
                                "references"};

}  // namespace

class Cli : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init();
    void cleanup() { service_.reset(); }

    void allocate_prints_an_id_that_belongs_to_the_user();
    void allocate_makes_all_or_none_of_many();
    void options_of_allocate_are_kept();
    void list_and_info_have_the_fields_of_the_data_model();
    void list_filters();
    void a_withdrawn_region_is_not_found();
    void wrong_words_and_refusals_have_their_own_status_and_code_data();
    void wrong_words_and_refusals_have_their_own_status_and_code();
    void cleanup_rehearses_with_reasons_and_then_does_it();
    void events_tell_what_happened_also_after_the_manager_is_killed();
    void following_events_prints_each_as_it_happens();
    void commands_print_one_json_document_data();
    void commands_print_one_json_document();
    void a_changed_configuration_is_applied_and_a_broken_one_changes_nothing();
    void health_is_well_while_all_is_well();
    void status_names_the_manager();
    void sigterm_ends_the_service_cleanly_and_regions_stay();

  private:
    QString allocate(const QStringList& words = {"1MiB"}) {
        return service_->cli_json(QStringList{"allocate"} + words).value("id").toString();
    }
    std::unique_ptr<Service> service_;
};

void Cli::init() {
    service_ = std::make_unique<Service>();
    service_->host().configure("max_region_size = \"64MiB\"\nmax_regions = 20");
    QVERIFY(service_->start());
}

void Cli::allocate_prints_an_id_that_belongs_to_the_user() {
    const auto plain = service_->cli({"allocate", "1MiB"});
    QCOMPARE(plain.status, 0);
    const auto id = plain.out.trimmed();
    QVERIFY(QRegularExpression("^shm_\\d+_[0-9a-f]{16}$").match(id).hasMatch());

    const auto region = service_->cli_json({"info", id});
    QCOMPARE(region.value("size").toInteger(), 1 << 20);
    QCOMPARE(region.value("cleanup_policy").toString(), "manual");
    QCOMPARE(region.value("state").toString(), "live");  // though its allocator is gone
    QTRY_COMPARE_WITH_TIMEOUT(service_->cli_json({"info", id}).value("reference_count").toInteger(),
                              0, kPatienceMs);
}

void Cli::allocate_makes_all_or_none_of_many() {
    const auto three =
        service_->cli_json({"allocate", "4096", "--count", "3"}).value("ids").toArray();
    QCOMPARE(three.size(), 3);
    const auto refused = service_->cli({"allocate", "4096", "--count", "30", "--json"});
    QCOMPARE(refused.status, 1);
    QCOMPARE(refused.error().value("code").toString(), "region_limit_exceeded");
    QCOMPARE(service_->cli_json({"list"}).value("regions").toArray().size(), 3);
}

void Cli::options_of_allocate_are_kept() {
    const auto region = service_->cli_json(
        {"info", allocate({"8KiB", "--cleanup-policy", "reference_counted", "--timeout", "90s",
                           "--placement", "dedicated", "--group", "ro", "--access-mode", "rw",
                           "--metadata", "rows=12", "--metadata", "who=me = you"})});
    QCOMPARE(region.value("cleanup_policy").toString(), "reference_counted");
    QCOMPARE(region.value("timeout").toInteger(), 90'000);
    QCOMPARE(region.value("placement").toString(), "dedicated");
    QCOMPARE(region.value("permissions")["group"].toString(), "read_only");
    QCOMPARE(region.value("permissions")["other"].toString(), "none");
    QCOMPARE(region.value("metadata").toObject(),
             (QJsonObject{{"rows", "12"}, {"who", "me = you"}}));
}

void Cli::list_and_info_have_the_fields_of_the_data_model() {
    const auto id = allocate();
    const auto listed = service_->cli_json({"list"}).value("regions").toArray();
    QCOMPARE(listed.size(), 1);
    QCOMPARE(missing(listed[0].toObject(), kRegionFields), QStringList{});
    const auto shown = service_->cli_json({"info", id});
    QCOMPARE(missing(shown, QStringList(kRegionFields) << "mapped_addresses"), QStringList{});
    const QRegularExpression time("^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{6}Z$");
    QVERIFY(time.match(shown.value("created_at").toString()).hasMatch());
    QVERIFY(shown.value("actual_size").toInteger() >= shown.value("size").toInteger());
}

void Cli::list_filters() {
    const auto small = allocate({"4KiB"});
    const auto large = allocate({"2MiB"});
    const auto found =
        service_->cli_json({"list", "size>1MiB", "refs=0"}).value("regions").toArray();
    QCOMPARE(found.size(), 1);
    QCOMPARE(found[0]["id"].toString(), large);
    QVERIFY(service_->cli({"list"}).out.contains(small));
    QVERIFY(!service_->cli({"list", "size>1MiB"}).out.contains(small));
}

void Cli::a_withdrawn_region_is_not_found() {
    const auto id = allocate();
    const auto gone = service_->cli({"deallocate", id, "--json"});
    QCOMPARE(gone.status, 0);
    QCOMPARE(gone.json().value("deallocated").toArray().at(0)["id"].toString(), id);
    const auto after = service_->cli({"info", id, "--json"});
    QCOMPARE(after.status, 1);
    QCOMPARE(after.error().value("type").toString(), "region_not_found");
    QCOMPARE(after.error().value("region_id").toString(), id);
    QVERIFY(service_->cli({"list"}).out.contains("no regions"));
    QTRY_VERIFY_WITH_TIMEOUT(service_->host().segments().isEmpty(), kPatienceMs);
}

void Cli::wrong_words_and_refusals_have_their_own_status_and_code_data() {
    QTest::addColumn<QStringList>("words");
    QTest::addColumn<int>("status");
    QTest::addColumn<QString>("code");
    const auto row = [](const char* name, const QStringList& words, int status, const char* code) {
        QTest::newRow(name) << words << status << QString(code);
    };
    row("no such command", {"frobnicate"}, 2, "invalid_argument");
    row("no such option", {"list", "--durable"}, 2, "invalid_argument");
    row("no size", {"allocate"}, 2, "invalid_argument");
    row("a size that is none", {"allocate", "ten"}, 2, "invalid_argument");
    row("size zero", {"allocate", "0"}, 2, "invalid_size");
    row("a policy that is none", {"allocate", "1", "--cleanup-policy", "never"}, 2,
        "invalid_argument");
    row("metadata that is none", {"allocate", "1", "--metadata", "novalue"}, 2, "invalid_argument");
    row("malformed id", {"info", "shm_nonsense"}, 2, "invalid_region_id");
    row("unknown name", {"info", "nonsense"}, 1, "region_not_found");
    row("malformed filter", {"list", "size>big"}, 2, "invalid_argument");
    row("an instance that is none", {"status", "--instance", "../other"}, 2, "invalid_argument");
    row("unknown id", {"info", kUnknownId}, 1, "region_not_found");
    row("unknown id to deallocate", {"deallocate", kUnknownId}, 1, "region_not_found");
    row("too large", {"allocate", "65MiB"}, 1, "size_exceeds_limit");
    row("an event kind that is none", {"events", "--kind", "party"}, 2, "invalid_argument");
    row("a time that is none", {"events", "--since", "yesterday"}, 2, "invalid_argument");
}

void Cli::wrong_words_and_refusals_have_their_own_status_and_code() {
    QFETCH(QStringList, words);
    QFETCH(int, status);
    QFETCH(QString, code);
    const auto plain = service_->cli(words);
    QCOMPARE(plain.status, status);
    QVERIFY(plain.err.startsWith("snakepit-shm: "));
    QCOMPARE(plain.out, QString());

    const auto described = service_->cli(words << "--json");
    QCOMPARE(described.status, status);
    QCOMPARE(described.error().value("code").toString(), code);
    QCOMPARE(
        missing(described.error(), {"type", "code", "message", "remedy", "region_id", "operation",
                                    "platform", "process_id", "timestamp", "additional_info"}),
        QStringList{});
    QVERIFY(!described.error().value("message").toString().isEmpty());
}

void Cli::cleanup_rehearses_with_reasons_and_then_does_it() {
    const auto id = allocate();
    QTRY_COMPARE_WITH_TIMEOUT(service_->cli_json({"info", id}).value("reference_count").toInteger(),
                              0, kPatienceMs);
    const auto due = service_->cli_json({"cleanup"});
    QCOMPARE(due.value("removed").toInteger(), 0);  // manual: never due by itself

    const auto plan = service_->cli_json({"cleanup", "--all-eligible", "--dry-run"});
    QCOMPARE(plan.value("dry_run").toBool(), true);
    QCOMPARE(plan.value("removed").toInteger(), 1);
    const auto item = plan.value("items").toArray()[0].toObject();
    QCOMPARE(item.value("id").toString(), id);
    QVERIFY(!item.value("reason").toString().isEmpty());
    QCOMPARE(service_->cli({"info", id}).status, 0);

    const auto done = service_->cli_json({"cleanup", "--all-eligible", "--no-quarantine"});
    QCOMPARE(done.value("removed").toInteger(), 1);
    QVERIFY(done.value("bytes_freed").toInteger() >= 1 << 20);
    QCOMPARE(service_->cli({"info", id}).status, 1);
}

void Cli::events_tell_what_happened_also_after_the_manager_is_killed() {
    const auto id = allocate();
    QCOMPARE(service_->cli({"deallocate", id}).status, 0);
    const auto kinds = [&] {
        QStringList out;
        for (const auto& event :
             service_->cli_json({"events", "--region", id}).value("events").toArray())
            out += event.toObject().value("kind").toString();
        return out;
    };
    QTRY_VERIFY_WITH_TIMEOUT(kinds().contains("freed"), kPatienceMs);
    QVERIFY(kinds().indexOf("allocated") < kinds().indexOf("freed"));
    service_->kill();
    QVERIFY(kinds().contains("allocated"));
    const auto one = service_->cli_json({"events", "--kind", "allocated", "--limit", "1"})
                         .value("events")
                         .toArray();
    QCOMPARE(one.size(), 1);
    QCOMPARE(missing(one[0].toObject(), {"seq", "epoch", "time", "kind", "region_id", "pid", "uid",
                                         "result", "detail"}),
             QStringList{});
    QCOMPARE(service_->cli_json({"events", "--until", "2020-01-01T00:00:00Z"})
                 .value("events")
                 .toArray()
                 .size(),
             0);
}

void Cli::following_events_prints_each_as_it_happens() {
    const auto follower = service_->cli_peer({"events", "--follow", "--json"});
    QVERIFY(!follower->line().isEmpty());  // it has read what was there
    const auto id = allocate();
    for (;;) {
        const auto line = follower->line();
        QVERIFY(!line.isNull());
        const auto event = QJsonDocument::fromJson(line.toUtf8()).object();
        if (event.value("kind") == "allocated" && event.value("region_id") == id) return;
    }
}

void Cli::commands_print_one_json_document_data() {
    QTest::addColumn<QStringList>("words");
    QTest::addColumn<QStringList>("fields");
    QTest::newRow("status") << QStringList{"status"} << QStringList{};
    QTest::newRow("stats") << QStringList{"stats"}
                           << QStringList{"total_allocations", "active_regions", "error_counts",
                                          "recent_errors", "last_updated"};
    QTest::newRow("top") << QStringList{"top"}
                         << QStringList{"regions", "clients", "manager_pid", "sample"};
    QTest::newRow("list") << QStringList{"list"} << QStringList{"regions"};
    QTest::newRow("cleanup") << QStringList{"cleanup"}
                             << QStringList{"dry_run", "removed", "bytes_freed", "items"};
    QTest::newRow("events") << QStringList{"events"} << QStringList{"events"};
    QTest::newRow("config show") << QStringList{"config", "show"} << QStringList{"shared_memory"};
    QTest::newRow("config check") << QStringList{"config", "check"} << QStringList{"valid", "file"};
    QTest::newRow("config reload")
        << QStringList{"config", "reload"} << QStringList{"needs_restart"};
    QTest::newRow("health") << QStringList{"health"} << QStringList{"healthy", "checks"};
    QTest::newRow("version") << QStringList{"version"} << QStringList{"version", "protocol"};
    QTest::newRow("help") << QStringList{"help", "list"} << QStringList{"help"};
}

void Cli::commands_print_one_json_document() {
    QFETCH(QStringList, words);
    QFETCH(QStringList, fields);
    const auto result = service_->cli(words << "--json");
    QCOMPARE(result.status, 0);
    QVERIFY(!result.json().isEmpty());
    QCOMPARE(missing(result.json(), fields), QStringList{});
    const auto text = service_->cli(words.mid(0, words.size() - 1));  // and people something too
    QVERIFY2(!text.out.isEmpty(), qPrintable(QString("%1: %2").arg(text.status).arg(text.err)));
}

void Cli::a_changed_configuration_is_applied_and_a_broken_one_changes_nothing() {
    QCOMPARE(service_->cli({"allocate", "65MiB"}).status, 1);
    service_->host().configure("max_region_size = \"66MiB\"");
    QCOMPARE(service_->cli({"config", "reload"}).status, 0);
    QCOMPARE(service_->cli({"allocate", "65MiB"}).status, 0);

    service_->host().configure("max_region_size = \"66MiB\"\nmax_regionz = 1");
    const auto checked = service_->cli({"config", "check", "--json"});
    QCOMPARE(checked.status, 1);
    QCOMPARE(checked.error().value("code").toString(), "configuration_invalid");
    QVERIFY(checked.err.contains(service_->host().config_file() + ":3:"));
    QVERIFY(checked.err.contains("max_regions"));  // the key that was meant
    QCOMPARE(service_->cli({"config", "reload"}).status, 1);
    QCOMPARE(service_->cli({"allocate", "65MiB"}).status, 0);
}

void Cli::health_is_well_while_all_is_well() {
    allocate();
    const auto well = service_->cli({"health", "--json"});
    QVERIFY2(well.status == 0, qPrintable(well.out));
    QCOMPARE(well.json().value("healthy").toBool(), true);
    for (const auto& check : well.json().value("checks").toArray())
        QCOMPARE(missing(check.toObject(), {"name", "status", "message", "remedy"}), QStringList{});
}

void Cli::status_names_the_manager() {
    const auto status = service_->cli({"status"});
    QCOMPARE(status.status, 0);
    QVERIFY(status.out.contains(QString::number(service_->pid())));
    QVERIFY(status.out.contains(service_->instance()));
}

void Cli::sigterm_ends_the_service_cleanly_and_regions_stay() {
    const auto id = allocate();
    QCOMPARE(service_->stop(), 0);
    QCOMPARE(service_->cli({"list"}).status, 3);
    QVERIFY(service_->start());
    QCOMPARE(service_->cli({"info", id}).status, 0);
    QCOMPARE(service_->cli({"deallocate", id}).status, 0);
}

QTEST_GUILESS_MAIN(Cli)
#include "tst_cli.moc"
