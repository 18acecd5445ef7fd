// SPDX-License-Identifier: MIT
#pragma once

#include <QJsonArray>
#include <QJsonObject>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace snakepit::shm {

// Reads the members of one JSON object, strictly: every complaint has the code it was made with,
// and names the member. Absent members leave what they would be read into as it is.
class JsonFields {
  public:
    // `what`: "the rule", as complaints begin.
    JsonFields(const QJsonObject& object, std::string_view what, ErrorCode code)
        : object_(object), what_(what), code_(code) {}

    // The text as one object; the complaint says where it is none.
    static Result<QJsonObject> parse(std::string_view json, std::string_view what, ErrorCode code);

    // No other members than these.
    Status only(std::initializer_list<const char*> known) const;
    bool has(const char* name) const { return object_.contains(QLatin1String(name)); }
    Status text(const char* name, std::string& out) const;
    // Of people: at most `longest` bytes in one line.
    Status line(const char* name, std::string& out, std::size_t longest) const;
    Status flag(const char* name, bool& out) const;
    Status number(const char* name, double& out) const;
    Status whole(const char* name, std::uint64_t& out) const;
    // Milliseconds, or "90s", "5m", "2h".
    Status duration(const char* name, std::int64_t& out) const;
    // RFC 3339; null is never.
    Status time(const char* name, Timestamp& out) const;
    tl::unexpected<Error> wrong(const char* name, std::string_view what, std::string remedy) const;

  private:
    QJsonValue value(const char* name) const { return object_[QLatin1String(name)]; }
    const QJsonObject& object_;
    std::string_view what_;
    ErrorCode code_;
};

}  // namespace snakepit::shm
