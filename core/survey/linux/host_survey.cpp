// SPDX-License-Identifier: MIT
#include "survey/host_survey.h"

#include "survey/linux/scan.h"

namespace snakepit::shm {

Result<HostSurvey> survey_host(const SurveyOptions& options) {
    SHM_ASSIGN(auto scan, survey::Scan::run(options));
    return scan.survey();
}

}  // namespace snakepit::shm
