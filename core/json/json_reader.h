// SPDX-License-Identifier: MIT
#pragma once

#include <QJsonArray>
#include <QJsonObject>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace snakepit::shm {

// Reads the members of a JSON object strictly. Each error has the code the reader was made with
// and names the source and the member's path: "the policy: 'rules[1].user': expected a name".
// A member that is absent leaves its output unchanged.
class JsonReader {
  public:
    JsonReader(QJsonObject object, std::string_view source, ErrorCode code)
        : JsonReader(std::move(object), source, code, {}) {}

    // Parses one JSON object. A syntax error names source:line:column.
    static Result<JsonReader> parse(std::string_view json, std::string_view source, ErrorCode code);

    // Refuses members other than these.
    Status only(std::initializer_list<const char*> known) const;
    Status require(std::initializer_list<const char*> names) const;
    bool has(const char* name) const { return object_.contains(QLatin1String(name)); }
    QJsonValue value(const char* name) const { return object_[QLatin1String(name)]; }
    const QJsonObject& object() const { return object_; }

    Status text(const char* name, std::string& out) const;
    // One line of at most `longest` bytes.
    Status line(const char* name, std::string& out, std::size_t longest) const;
    Status flag(const char* name, bool& out) const;
    Status number(const char* name, double& out) const;
    // A whole number from `least` on that JSON represents exactly.
    Status whole(const char* name, std::int64_t& out, std::int64_t least) const;
    Status whole(const char* name, std::uint64_t& out) const;
    Status whole(const char* name, std::uint32_t& out) const;
    // Milliseconds, or "90s", "5m", "2h".
    Status duration(const char* name, std::int64_t& out) const;
    // RFC 3339; null is 0.
    Status time(const char* name, Timestamp& out) const;
    // The member, an object; one without members if it is absent.
    Result<JsonReader> child(const char* name) const;
    // The member, a list of objects; empty if it is absent.
    Result<std::vector<JsonReader>> children(const char* name) const;

    // An error about a member. Empty: about the object itself.
    tl::unexpected<Error> wrong(std::string_view name, std::string_view what,
                                std::string remedy) const;
    // "rules[1].user"
    std::string path_of(std::string_view name) const;

  private:
    JsonReader(QJsonObject object, std::string_view source, ErrorCode code, std::string path)
        : object_(std::move(object)), source_(source), code_(code), path_(std::move(path)) {}

    QJsonObject object_;
    std::string source_;
    ErrorCode code_;
    std::string path_;
};

}  // namespace snakepit::shm
