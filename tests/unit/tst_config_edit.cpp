// SPDX-License-Identifier: MIT
// One key of a configuration file is changed, and nothing else of the file.
#include <sys/stat.h>
#include <unistd.h>

#include <QTemporaryDir>
#include <QtTest>
#include <fstream>
#include <sstream>

#include "config/config.h"
#include "config/config_edit.h"

using namespace snakepit::shm;

class ConfigEdit : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void everything_else_stays_as_it_was_data();
    void everything_else_stays_as_it_was();
    void nonsense_is_refused_with_its_place_data();
    void nonsense_is_refused_with_its_place();
    void a_file_is_made_replaced_and_keeps_its_mode_and_its_link();
    void a_refused_value_leaves_the_file_alone();
};

void ConfigEdit::everything_else_stays_as_it_was_data() {
    QTest::addColumn<QByteArray>("before");
    QTest::addColumn<QByteArray>("key");
    QTest::addColumn<QByteArray>("value");
    QTest::addColumn<QByteArray>("after");
    const auto row = [](const char* name, const char* before, const char* key, const char* value,
                        const char* after) {
        QTest::newRow(name) << QByteArray(before) << QByteArray(key) << QByteArray(value)
                            << QByteArray(after);
    };
    row("a number, its comment stays",
        "# ours\n[shared_memory]\nmax_regions = 10   # few\nenabled = true\n", "max_regions", "20",
        "# ours\n[shared_memory]\nmax_regions = 20   # few\nenabled = true\n");
    row("a size is quoted", "[shared_memory]\nmax_region_size = 5\n", "max_region_size", "64MiB",
        "[shared_memory]\nmax_region_size = \"64MiB\"\n");
    row("quotes that are there stay", "[shared_memory]\nquarantine = \"1s\" # é\n", "quarantine",
        "\"5m\"", "[shared_memory]\nquarantine = \"5m\" # é\n");
    row("behind text of many bytes", "[shared_memory] # é\n\"quarantine\" = 'x' # é\n", "enabled",
        "false", "");
    row("a new key comes behind the last of its table",
        "[shared_memory]\nenabled = true # yes\n\n[shared_memory.platform_options.linux]\n"
        "use_hugepages = false\n",
        "quarantine", "0",
        "[shared_memory]\nenabled = true # yes\nquarantine = 0\n\n"
        "[shared_memory.platform_options.linux]\nuse_hugepages = false\n");
    row("into an empty table", "[shared_memory]\n# nothing yet\n", "enabled", "false",
        "[shared_memory]\nenabled = false\n# nothing yet\n");
    row("into an empty file", "", "enabled", "false", "[shared_memory]\nenabled = false\n");
    row("a file without a line end", "[shared_memory]\nenabled = true", "max_regions", "7",
        "[shared_memory]\nenabled = true\nmax_regions = 7\n");
    row("a section that is not there", "[shared_memory]\nenabled = true\n",
        "platform_options.linux.shm_path", "/mnt",
        "[shared_memory]\nenabled = true\n\n[shared_memory.platform_options.linux]\n"
        "shm_path = \"/mnt\"\n");
    row("by its last part", "[shared_memory.platform_options.linux]\nshm_path = \"/dev/shm\"\n",
        "shm_path", "/mnt", "[shared_memory.platform_options.linux]\nshm_path = \"/mnt\"\n");
    row("a dotted key", "[shared_memory]\nplatform_options.linux.use_hugepages = false\n",
        "use_hugepages", "true", "[shared_memory]\nplatform_options.linux.use_hugepages = true\n");
    row("in an inline table", "shared_memory = { enabled = true, max_regions = 3 }\n", "enabled",
        "false", "shared_memory = { enabled = false, max_regions = 3 }\n");
    row("a word", "[shared_memory]\n", "allocation_strategy", "first_fit",
        "[shared_memory]\nallocation_strategy = \"first_fit\"\n");
}

void ConfigEdit::everything_else_stays_as_it_was() {
    QFETCH(QByteArray, before);
    QFETCH(QByteArray, key);
    QFETCH(QByteArray, value);
    QFETCH(QByteArray, after);
    const auto changed =
        with_key(before.toStdString(), key.toStdString(), value.toStdString(), "f.toml");
    if (after.isEmpty()) {  // the file itself is invalid
        QVERIFY(!changed);
        return;
    }
    QVERIFY2(changed.has_value(), changed ? "" : changed.error().sentence().c_str());
    QCOMPARE(QByteArray::fromStdString(*changed), after);
}

void ConfigEdit::nonsense_is_refused_with_its_place_data() {
    QTest::addColumn<QByteArray>("key");
    QTest::addColumn<QByteArray>("value");
    QTest::addColumn<QByteArray>("place");
    const auto row = [](const char* key, const char* value, const char* place) {
        QTest::newRow(key) << QByteArray(key) << QByteArray(value) << QByteArray(place);
    };
    row("max_regionz", "5", "f.toml:3:1:");
    row("enabled", "perhaps", "f.toml:2:11:");
    row("quarantine", "ten parsecs", "f.toml:3:14:");
    row("max_regions", "0", "f.toml:3:15:");
    row("platform_options.linux.shm_path", "shm", "f.toml:5:12:");
    row("max_region_size", "900GiB", "f.toml:3:19:");
    row("evil = 1\nenabled", "true", "unknown key 'evil = 1");
    row("grace_period", "1\nevil = 2", "f.toml:3:");
}

void ConfigEdit::nonsense_is_refused_with_its_place() {
    QFETCH(QByteArray, key);
    QFETCH(QByteArray, value);
    QFETCH(QByteArray, place);
    const auto refused = with_key("[shared_memory]\nenabled = true\n", key.toStdString(),
                                  value.toStdString(), "f.toml");
    QVERIFY(!refused);
    QCOMPARE(refused.error().code, ErrorCode::configuration_invalid);
    QVERIFY2(refused.error().message.starts_with(place.toStdString()),
             refused.error().message.c_str());
}

void ConfigEdit::a_file_is_made_replaced_and_keeps_its_mode_and_its_link() {
    const QTemporaryDir dir;
    const auto path = dir.filePath("new/sub/config.toml").toStdString();
    QVERIFY(set_in_file(path, "max_regions", "5"));
    QCOMPARE(Config::load(path)->max_regions, 5U);
    QCOMPARE(::chmod(path.c_str(), 0600), 0);
    const auto link = dir.filePath("link.toml").toStdString();
    QCOMPARE(::symlink(path.c_str(), link.c_str()), 0);
    QVERIFY(set_in_file(link, "max_regions", "6"));
    QCOMPARE(Config::load(path)->max_regions, 6U);
    struct stat info {};
    QCOMPARE(::stat(path.c_str(), &info), 0);
    QCOMPARE(info.st_mode & 0777U, 0600U);
    QCOMPARE(::lstat(link.c_str(), &info), 0);
    QVERIFY(S_ISLNK(info.st_mode));
    QCOMPARE(QDir(dir.filePath("new/sub")).entryList(QDir::Files).size(), 1);
}

void ConfigEdit::a_refused_value_leaves_the_file_alone() {
    const QTemporaryDir dir;
    const auto path = dir.filePath("config.toml").toStdString();
    std::ofstream(path) << "[shared_memory]\nmax_regions = 5\n";
    QVERIFY(!set_in_file(path, "max_regions", "many"));
    QCOMPARE(Config::load(path)->max_regions, 5U);
    std::ofstream(path) << "[shared_memory\n";
    QVERIFY(!set_in_file(path, "max_regions", "7"));
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    QCOMPARE(text.str(), std::string("[shared_memory\n"));
}

QTEST_APPLESS_MAIN(ConfigEdit)
#include "tst_config_edit.moc"
