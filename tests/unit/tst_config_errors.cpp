// SPDX-License-Identifier: MIT
// What is wrong with a configuration, and where.
#include <QTemporaryDir>
#include <QtTest>

#include "config/config.h"

using namespace snakepit::shm;

class TestConfigErrors : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void what_is_wrong_is_named_with_its_place_data();
    void what_is_wrong_is_named_with_its_place();
    void an_unknown_key_names_the_nearest_known_one_data();
    void an_unknown_key_names_the_nearest_known_one();
    void a_file_that_cannot_be_read_is_an_error();
};

void TestConfigErrors::what_is_wrong_is_named_with_its_place_data() {
    QTest::addColumn<QByteArray>("line");
    QTest::addColumn<QByteArray>("place");
    QTest::addColumn<QByteArray>("named");
    const auto row = [](const char* name, const char* line, const char* place, const char* named) {
        QTest::newRow(name) << QByteArray(line) << QByteArray(place) << QByteArray(named);
    };
    row("syntax", "max_regions = = 3", ":2:", "");
    row("no value", "max_regions =", ":2:", "");
    row("twice", "max_regions = 1\nmax_regions = 2", ":3:", "");
    row("not a number", "max_regions = \"many\"", ":2:15:", "number of regions");
    row("none at all", "max_regions = 0", ":2:15:", "number of regions");
    row("negative count", "max_regions = -1", ":2:15:", "number of regions");
    row("huge count", "max_regions = 4294967296", ":2:15:", "number of regions");
    row("negative user limit", "max_regions_per_user = -1", ":2:24:", "number of regions");
    row("quarantine", "quarantine = \"soon\"", ":2:14:", "duration");
    row("fraction of a region", "max_regions = 1.5", ":2:15:", "number of regions");
    row("size unit", "max_region_size = \"1 apple\"", ":2:19:", "size");
    row("size zero", "max_region_size = 0", ":2:19:", "size");
    row("size zero text", "max_region_size = \"0KiB\"", ":2:19:", "size");
    row("size negative", "max_region_size = -4096", ":2:19:", "size");
    row("size is a flag", "max_region_size = true", ":2:19:", "size");
    row("duration unit", "cleanup_interval = \"10 parsecs\"", ":2:20:", "duration");
    row("duration list", "cleanup_interval = [1]", ":2:20:", "duration");
    row("interval too short", "cleanup_interval = 9", ":2:20:", "range");
    row("interval negative", "cleanup_interval = -60000", ":2:20:", "range");
    row("interval too long", "cleanup_interval = \"100000d\"", ":2:20:", "range");
    row("flag", "enabled = \"yes\"", ":2:11:", "true or false");
    row("flag as number", "audit_access = 1", ":2:16:", "true or false");
    row("strategy", "allocation_strategy = \"luck\"", ":2:23:", "strategy");
    row("level", "security_level = \"low\"", ":2:18:", "security level");
    row("region above the total", "max_region_size = \"2GiB\"\nmax_total_memory = \"1GiB\"",
        ":2:19:", "larger than max_total_memory");
    row("region above the default total", "max_region_size = \"20GiB\"",
        ":2:19:", "larger than max_total_memory");
    row("process above all", "max_regions = 5\nmax_regions_per_process = 6",
        ":3:27:", "larger than max_regions");
    row("backing", "[shared_memory.platform_options.linux]\nbacking = \"paper\"",
        ":3:11:", "backing");
    const auto telemetry = [&row](const char* name, QByteArray line, const char* named) {
        row(name, ("[shared_memory.telemetry]\n" + line).constData(), ":3:", named);
    };
    telemetry("listen", "listen = 9847", "address");
    telemetry("listen to all", "listen = '0.0.0.0:9847'", "others can reach");
    telemetry("listen to all of six", "listen = '[::]:9847'", "others can reach");
    telemetry("listen without a port", "listen = '127.0.0.1'", "address");
    telemetry("listen to a name", "listen = 'example.com:80'", "address");
    telemetry("text file", "textfile = 'a.prom'", "absolute");
    telemetry("text file's name", "textfile = '/tmp/a.txt'", "node_exporter");
    telemetry("interval", "interval = '1ms'", "between a second");
    telemetry("label", "labels = ['user', 'pid']", "counted");
    telemetry("journal", "journal = 'some'", "journal");
    telemetry("journal's socket", "journal_socket = ''", "socket");
    row("socket mode", "socket_mode = \"0777\"", ":2:15:", "mode");
    row("socket mode as a number", "socket_mode = 660", ":2:15:", "mode");
    row("group as a number", "socket_group = 100", ":2:16:", "string");
    row("relative path", "[shared_memory.platform_options.linux]\nshm_path = \"shm\"",
        ":3:12:", "absolute");
    row("empty path", "[shared_memory.platform_options.linux]\nshm_path = \"\"",
        ":3:12:", "absolute");
    row("path with a zero", "[shared_memory.platform_options.linux]\nshm_path = \"/a\\u0000b\"",
        ":3:12:", "absolute");
    row("other platform's type", "[shared_memory.platform_options.windows]\nuse_large_pages = 1",
        ":3:19:", "true or false");
    row("section is a value", "platform_options = 3", ":2:1:", "not a table");
    row("permission", "[shared_memory.policy]\npermissions = { group = \"rx\" }",
        ":3:25:", "permission");
    row("rule without right", "[[shared_memory.policy.rules]]\nuser = \"a\"", ":2:", "nothing");
    row("right", "[[shared_memory.policy.rules]]\nallow = [\"run\"]", ":3:10:", "right");
    row("rule about a process", "[[shared_memory.policy.rules]]\nprocess = 1\nallow = [\"read\"]",
        ":3:1:", "process");
    row("role is a name", "[shared_memory.roles]\noperators = \"a\"", ":3:13:", "list");
    row("quota", "[shared_memory.quotas.a]\nmax_memory = \"much\"", ":3:14:", "size");
    row("quota is a number", "[shared_memory.quotas]\na = 3", ":3:5:", "expected a table");
    row("alerts", "[shared_memory.alerts]\nenabled = 1", ":3:11:", "true or false");
    row("unknown key of alerts", "[shared_memory.alerts]\nweb_hook = \"\"", ":3:1:", "web_hook");
    row("command is a word", "[shared_memory.alerts]\ncommand = \"/bin/true\"", ":3:11:", "list");
    row("command is no path", "[shared_memory.alerts]\ncommand = [ \"mail\" ]",
        ":3:11:", "full path");
    row("webhook", "[shared_memory.alerts]\nwebhook = \"localhost:80\"", ":3:11:", "webhook");
    row("webhook without a host", "[shared_memory.alerts]\nwebhook = \"http:///x\"",
        ":3:11:", "webhook");
    row("severity", "[shared_memory.alerts]\nmin_severity = \"high\"", ":3:16:", "severity");
    row("array of sections", "[[shared_memory.platform_options.linux]]", ":2:", "not a table");
}

void TestConfigErrors::what_is_wrong_is_named_with_its_place() {
    QFETCH(QByteArray, line);
    QFETCH(QByteArray, place);
    QFETCH(QByteArray, named);
    const auto config =
        Config::parse("[shared_memory]\n" + line.toStdString() + "\n", "a dir/test.toml");
    QVERIFY(!config);
    const auto& error = config.error();
    QCOMPARE(error.code, ErrorCode::configuration_invalid);
    QVERIFY2(error.message.find("a dir/test.toml" + place.toStdString()) == 0,
             error.message.c_str());
    QVERIFY2(error.message.find(named.toStdString()) != std::string::npos, error.message.c_str());
    QVERIFY(!error.remedy.empty());
}

void TestConfigErrors::an_unknown_key_names_the_nearest_known_one_data() {
    QTest::addColumn<QByteArray>("text");
    QTest::addColumn<QByteArray>("place");
    QTest::addColumn<QByteArray>("nearest");
    const auto row = [](const char* text, const char* place, const char* nearest) {
        QTest::newRow(text) << QByteArray(text) << QByteArray(place) << QByteArray(nearest);
    };
    row("[shared_memory]\nmax_region = 5", ":2:1:", "'max_regions'");
    row("[shared_memory]\nmax_reigon_size = 5", ":2:1:", "'max_region_size'");
    row("[shared_memory]\n  cleanup_intervall = 5", ":2:3:", "'cleanup_interval'");
    row("[shared_memory]\nplatform_option.linux.shm_path = '/x'", ":2:1:", "'platform_options'");
    row("[shared_memory.platform_options.linus]\nshm_path = '/x'", ":1:33:", "'linux'");
    row("[shared_memory.platform_options.linux]\nshmpath = '/x'", ":2:1:", "'shm_path'");
    row("[shared_memory]\nquota.bob.max_regions = 1", ":2:1:", "'quotas'");
    row("[[shared_memory.policy.rules]]\nusr = 'a'", ":2:1:", "'user'");
    row("[shared_memory.roles]\nadmins = ['a']", ":2:1:", "'administrators'");
    row("[shared_memory.quotas.a]\nmax_region = 1", ":2:1:", "'max_regions'");
    row("[sharedmemory]\n", ":1:2:", "'shared_memory'");
    row("max_regions = 5", ":1:1:", "'shared_memory'");
}

void TestConfigErrors::an_unknown_key_names_the_nearest_known_one() {
    QFETCH(QByteArray, text);
    QFETCH(QByteArray, place);
    QFETCH(QByteArray, nearest);
    const auto config = Config::parse(text.toStdString(), "test.toml");
    QVERIFY(!config);
    const auto sentence = config.error().sentence();
    QVERIFY2(sentence.find("test.toml" + place.toStdString() + " unknown") == 0, sentence.c_str());
    QVERIFY2(sentence.find(nearest.toStdString()) != std::string::npos, sentence.c_str());
}

void TestConfigErrors::a_file_that_cannot_be_read_is_an_error() {
    const QTemporaryDir dir;
    for (const auto& path : {dir.filePath("absent.toml"), dir.path()}) {
        const auto config = Config::load(path.toStdString());
        QVERIFY(!config);
        QCOMPARE(config.error().code, ErrorCode::configuration_invalid);
        QVERIFY(config.error().message.find(path.toStdString()) != std::string::npos);
    }
}

QTEST_APPLESS_MAIN(TestConfigErrors)
#include "tst_config_errors.moc"
