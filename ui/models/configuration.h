// SPDX-License-Identifier: GPL-3.0-or-later
// The configuration of a manager as people see and change it.
#pragma once

#include <QJsonValue>
#include <QString>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace snakepit::shm::ui {

// One key of [shared_memory].
struct Setting {
    std::string key;                   // with its section: "telemetry.listen"
    QString meaning;                   // a sentence; empty: not documented
    QJsonValue value;                  // in the file; the default where it is not set there
    QJsonValue standard;               // the default
    std::optional<QJsonValue> active;  // what the running manager uses; none: not known
    bool in_file = false;
    bool waits = false;  // a change takes effect only when a manager starts
};

struct Configuration {
    std::string file;     // where a change is written; it may not exist yet
    std::string text;     // what it says now
    bool exists = false;  // an empty file does, too
    std::vector<Setting> settings;
};

// What became of a change, which is in the file in any case.
struct SettingChange {
    std::string file;
    bool applied = false;         // a running manager has read the file
    std::optional<Error> reason;  // why a manager that runs has not
    QJsonValue value = {};        // in the file now, after change_setting()
};

// Sizes and durations with their units, lists in one line.
QString setting_text(const Setting& setting, const QJsonValue& value);
// As it stands in a file: "64MiB" in quotes, true, ["a", "b"].
QString literal_text(const QJsonValue& value);

// `text`: of `file`, which exists. `active`: what a manager reported; empty: none did.
Result<Configuration> describe_configuration(const std::string& file, const std::string& text,
                                             const std::string& active);

// Reads and changes the configuration. Called from one worker thread.
class ConfigurationPort {
  public:
    virtual ~ConfigurationPort() = default;
    virtual Result<Configuration> read() = 0;
    // `literal` is TOML, or a bare word, size or duration. The file is as it was if the result
    // would not be valid.
    virtual Result<SettingChange> set(const std::string& key, const std::string& literal) = 0;
};

// Changes a setting whose value is still the one that was shown; invalid_argument if it was changed
// meanwhile.
Result<SettingChange> change_setting(ConfigurationPort& port, const std::string& key,
                                     const QJsonValue& shown, const std::string& literal);

}  // namespace snakepit::shm::ui
