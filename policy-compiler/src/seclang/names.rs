//! The words of SecLang, and what becomes of each: the table of CRS.md.

/// What becomes of a word of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// It does what ModSecurity's manual says.
    Full,
    /// It does so within one exchange only: what it does not do.
    Partly(&'static str),
    /// It is read, and has no effect here: why.
    NoEffect(&'static str),
    /// What uses it is refused: why.
    Refused(&'static str),
}

use Support::{Full, NoEffect, Partly, Refused};

macro_rules! words {
    (
        $(#[$about:meta])* $name:ident { $( $case:ident = $text:literal $support:expr ),* $(,)? }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "the names say it; CRS.md is the table")]
        pub enum $name { $( $case ),* }

        impl $name {
            /// Every word of the kind.
            pub const ALL: &'static [$name] = &[ $( $name::$case ),* ];

            /// The word, as ModSecurity's manual writes it.
            pub fn name(self) -> &'static str {
                match self { $( $name::$case => $text ),* }
            }

            /// What becomes of it.
            pub fn support(self) -> Support {
                match self { $( $name::$case => $support ),* }
            }

            /// The word that a text means; case does not count.
            pub fn read(text: &str) -> Option<$name> {
                Self::ALL.iter().copied().find(|it| it.name().eq_ignore_ascii_case(text))
            }
        }
    };
}

const NOT_KEPT: &str = "nothing is kept from one request to the next";
const OTHER_PLACE: &str = "it is of a server that the filter does not run in";
const POLICY: &str = "the policy says this";
const LOGS: &str = "findings and their logs are the filter's own";
const NOT_YET: &str = "not yet";
const CHANGES: &str = "what is allowed is forwarded as it came";
const RUNS: &str = "rules run nothing outside the filter";

words! {
    /// Variables.
    Collection {
        Args = "ARGS" Full,
        ArgsCombinedSize = "ARGS_COMBINED_SIZE" Full,
        ArgsGet = "ARGS_GET" Full,
        ArgsGetNames = "ARGS_GET_NAMES" Full,
        ArgsNames = "ARGS_NAMES" Full,
        ArgsPost = "ARGS_POST" Full,
        ArgsPostNames = "ARGS_POST_NAMES" Full,
        AuthType = "AUTH_TYPE" Refused(OTHER_PLACE),
        Duration = "DURATION" Refused("a verdict does not depend on the clock"),
        Env = "ENV" Refused(OTHER_PLACE),
        Files = "FILES" Full,
        FilesCombinedSize = "FILES_COMBINED_SIZE" Full,
        FilesNames = "FILES_NAMES" Full,
        FilesSizes = "FILES_SIZES" Refused(NOT_YET),
        FilesTmpContent = "FILES_TMP_CONTENT" Refused("no file is written"),
        FilesTmpNames = "FILES_TMPNAMES" Refused("no file is written"),
        FullRequest = "FULL_REQUEST" Refused("the request is judged as it streams by"),
        FullRequestLength = "FULL_REQUEST_LENGTH" Refused(NOT_YET),
        Geo = "GEO" Refused("no map of addresses is held"),
        Global = "GLOBAL" Partly(NOT_KEPT),
        HighestSeverity = "HIGHEST_SEVERITY" Refused(NOT_YET),
        InboundDataError = "INBOUND_DATA_ERROR" Refused("the policy's limits refuse what is too large"),
        Ip = "IP" Partly(NOT_KEPT),
        MatchedVar = "MATCHED_VAR" Full,
        MatchedVarName = "MATCHED_VAR_NAME" Full,
        MatchedVars = "MATCHED_VARS" Full,
        MatchedVarsNames = "MATCHED_VARS_NAMES" Full,
        ModsecBuild = "MODSEC_BUILD" Refused("it is of ModSecurity itself"),
        MscPcreError = "MSC_PCRE_ERROR" Refused("matching has no limits that could be reached"),
        MscPcreLimitsExceeded = "MSC_PCRE_LIMITS_EXCEEDED" Refused("matching has no limits that could be reached"),
        MultipartBoundaryQuoted = "MULTIPART_BOUNDARY_QUOTED" Full,
        MultipartBoundaryWhitespace = "MULTIPART_BOUNDARY_WHITESPACE" Full,
        MultipartCrlfLfLines = "MULTIPART_CRLF_LF_LINES" Full,
        MultipartDataAfter = "MULTIPART_DATA_AFTER" Full,
        MultipartDataBefore = "MULTIPART_DATA_BEFORE" Full,
        MultipartFileLimitExceeded = "MULTIPART_FILE_LIMIT_EXCEEDED" Refused("the policy's limits refuse what is too large"),
        MultipartFilename = "MULTIPART_FILENAME" Full,
        MultipartHeaderFolding = "MULTIPART_HEADER_FOLDING" Full,
        MultipartInvalidHeaderFolding = "MULTIPART_INVALID_HEADER_FOLDING" Full,
        MultipartInvalidPart = "MULTIPART_INVALID_PART" Full,
        MultipartInvalidQuoting = "MULTIPART_INVALID_QUOTING" Full,
        MultipartLfLine = "MULTIPART_LF_LINE" Full,
        MultipartMissingSemicolon = "MULTIPART_MISSING_SEMICOLON" Full,
        MultipartName = "MULTIPART_NAME" Full,
        MultipartPartHeaders = "MULTIPART_PART_HEADERS" Full,
        MultipartStrictError = "MULTIPART_STRICT_ERROR" Full,
        MultipartUnmatchedBoundary = "MULTIPART_UNMATCHED_BOUNDARY" Full,
        OutboundDataError = "OUTBOUND_DATA_ERROR" Refused("the policy's limits refuse what is too large"),
        PathInfo = "PATH_INFO" Refused(OTHER_PLACE),
        QueryString = "QUERY_STRING" Full,
        RemoteAddr = "REMOTE_ADDR" Full,
        RemoteHost = "REMOTE_HOST" Refused("no names are resolved"),
        RemotePort = "REMOTE_PORT" Refused(NOT_YET),
        RemoteUser = "REMOTE_USER" Refused(OTHER_PLACE),
        ReqbodyError = "REQBODY_ERROR" Full,
        ReqbodyErrorMsg = "REQBODY_ERROR_MSG" Refused("messages are the filter's own"),
        ReqbodyProcessor = "REQBODY_PROCESSOR" Full,
        ReqbodyProcessorError = "REQBODY_PROCESSOR_ERROR" Full,
        ReqbodyProcessorErrorMsg = "REQBODY_PROCESSOR_ERROR_MSG" Refused("messages are the filter's own"),
        RequestBasename = "REQUEST_BASENAME" Full,
        RequestBody = "REQUEST_BODY" Full,
        RequestBodyLength = "REQUEST_BODY_LENGTH" Full,
        RequestCookies = "REQUEST_COOKIES" Full,
        RequestCookiesNames = "REQUEST_COOKIES_NAMES" Full,
        RequestFilename = "REQUEST_FILENAME" Full,
        RequestHeaders = "REQUEST_HEADERS" Full,
        RequestHeadersNames = "REQUEST_HEADERS_NAMES" Full,
        RequestLine = "REQUEST_LINE" Full,
        RequestMethod = "REQUEST_METHOD" Full,
        RequestProtocol = "REQUEST_PROTOCOL" Full,
        RequestUri = "REQUEST_URI" Full,
        RequestUriRaw = "REQUEST_URI_RAW" Full,
        Resource = "RESOURCE" Partly(NOT_KEPT),
        ResponseArgs = "RESPONSE_ARGS" Refused(NOT_YET),
        ResponseBody = "RESPONSE_BODY" Full,
        ResponseContentLength = "RESPONSE_CONTENT_LENGTH" Full,
        ResponseContentType = "RESPONSE_CONTENT_TYPE" Full,
        ResponseHeaders = "RESPONSE_HEADERS" Full,
        ResponseHeadersNames = "RESPONSE_HEADERS_NAMES" Full,
        ResponseProtocol = "RESPONSE_PROTOCOL" Refused(NOT_YET),
        ResponseStatus = "RESPONSE_STATUS" Full,
        ResponseXml = "RESPONSE_XML" Refused(NOT_YET),
        Rule = "RULE" Refused("a rule's own text is not in the bundle"),
        ScriptBasename = "SCRIPT_BASENAME" Refused(OTHER_PLACE),
        ScriptFilename = "SCRIPT_FILENAME" Refused(OTHER_PLACE),
        ScriptGid = "SCRIPT_GID" Refused(OTHER_PLACE),
        ScriptGroupname = "SCRIPT_GROUPNAME" Refused(OTHER_PLACE),
        ScriptMode = "SCRIPT_MODE" Refused(OTHER_PLACE),
        ScriptUid = "SCRIPT_UID" Refused(OTHER_PLACE),
        ScriptUsername = "SCRIPT_USERNAME" Refused(OTHER_PLACE),
        ServerAddr = "SERVER_ADDR" Refused(NOT_YET),
        ServerName = "SERVER_NAME" Refused("`REQUEST_HEADERS:Host` is what it is of"),
        ServerPort = "SERVER_PORT" Refused(NOT_YET),
        Session = "SESSION" Partly(NOT_KEPT),
        SessionId = "SESSIONID" Refused(NOT_KEPT),
        Status = "STATUS" Refused("it is of a server that the filter does not run in"),
        StatusLine = "STATUS_LINE" Refused(NOT_YET),
        StreamInputBody = "STREAM_INPUT_BODY" Refused("the request is judged as it streams by"),
        StreamOutputBody = "STREAM_OUTPUT_BODY" Refused("the answer is judged as it streams by"),
        Time = "TIME" Refused("a verdict does not depend on the clock"),
        TimeDay = "TIME_DAY" Refused("a verdict does not depend on the clock"),
        TimeEpoch = "TIME_EPOCH" Refused("a verdict does not depend on the clock"),
        TimeHour = "TIME_HOUR" Refused("a verdict does not depend on the clock"),
        TimeMin = "TIME_MIN" Refused("a verdict does not depend on the clock"),
        TimeMon = "TIME_MON" Refused("a verdict does not depend on the clock"),
        TimeSec = "TIME_SEC" Refused("a verdict does not depend on the clock"),
        TimeWday = "TIME_WDAY" Refused("a verdict does not depend on the clock"),
        TimeYear = "TIME_YEAR" Refused("a verdict does not depend on the clock"),
        Tx = "TX" Full,
        UniqueId = "UNIQUE_ID" Refused("a verdict does not depend on chance"),
        UrlencodedError = "URLENCODED_ERROR" Full,
        User = "USER" Partly(NOT_KEPT),
        UseragentIp = "USERAGENT_IP" Refused("it is of a server that the filter does not run in"),
        UserId = "USERID" Refused(NOT_KEPT),
        WebAppId = "WEBAPPID" Refused(OTHER_PLACE),
        WebserverErrorLog = "WEBSERVER_ERROR_LOG" Refused(OTHER_PLACE),
        Xml = "XML" Full,
    }
}

words! {
    /// Operators.
    OperatorName {
        BeginsWith = "beginsWith" Full,
        Contains = "contains" Full,
        ContainsWord = "containsWord" Full,
        DetectSqli = "detectSQLi" Full,
        DetectXss = "detectXSS" Full,
        EndsWith = "endsWith" Full,
        Eq = "eq" Full,
        FuzzyHash = "fuzzyHash" Refused(RUNS),
        Ge = "ge" Full,
        GeoLookup = "geoLookup" Refused("no map of addresses is held"),
        GsbLookup = "gsbLookup" Refused(RUNS),
        Gt = "gt" Full,
        InspectFile = "inspectFile" Refused(RUNS),
        IpMatch = "ipMatch" Full,
        IpMatchF = "ipMatchF" Full,
        IpMatchFromFile = "ipMatchFromFile" Full,
        Le = "le" Full,
        Lt = "lt" Full,
        NoMatch = "noMatch" Full,
        Pm = "pm" Full,
        PmF = "pmf" Full,
        PmFromFile = "pmFromFile" Full,
        Rbl = "rbl" Refused("no names are resolved"),
        Rsub = "rsub" Refused(CHANGES),
        Rx = "rx" Full,
        RxGlobal = "rxGlobal" Full,
        StrEq = "streq" Full,
        StrMatch = "strmatch" Full,
        UnconditionalMatch = "unconditionalMatch" Full,
        ValidateByteRange = "validateByteRange" Full,
        ValidateDtd = "validateDTD" Refused("a contract's schema holds XML to its form"),
        ValidateHash = "validateHash" Refused(CHANGES),
        ValidateSchema = "validateSchema" Refused("a contract's schema holds XML to its form"),
        ValidateUrlEncoding = "validateUrlEncoding" Full,
        ValidateUtf8Encoding = "validateUtf8Encoding" Full,
        VerifyCc = "verifyCC" Refused(NOT_YET),
        VerifyCpf = "verifyCPF" Refused(NOT_YET),
        VerifySsn = "verifySSN" Refused(NOT_YET),
        VerifySvnr = "verifySVNR" Refused(NOT_YET),
        Within = "within" Full,
    }
}

words! {
    /// Actions.
    ActionName {
        Accuracy = "accuracy" NoEffect(LOGS),
        Allow = "allow" Full,
        Append = "append" Refused(CHANGES),
        AuditLog = "auditlog" NoEffect(LOGS),
        Block = "block" Full,
        Capture = "capture" Full,
        Chain = "chain" Full,
        Ctl = "ctl" Full,
        Deny = "deny" Full,
        DeprecateVar = "deprecatevar" Refused(NOT_KEPT),
        Drop = "drop" Full,
        Exec = "exec" Refused(RUNS),
        ExpireVar = "expirevar" NoEffect(NOT_KEPT),
        Id = "id" Full,
        InitCol = "initcol" NoEffect(NOT_KEPT),
        Log = "log" Full,
        LogData = "logdata" NoEffect("values are never logged"),
        Maturity = "maturity" NoEffect(LOGS),
        Msg = "msg" Full,
        MultiMatch = "multiMatch" Full,
        NoAuditLog = "noauditlog" NoEffect(LOGS),
        NoLog = "nolog" Full,
        Pass = "pass" Full,
        Pause = "pause" Refused("the filter makes nobody wait"),
        Phase = "phase" Full,
        Prepend = "prepend" Refused(CHANGES),
        Proxy = "proxy" Refused(CHANGES),
        Redirect = "redirect" Refused("answers are the policy's"),
        Rev = "rev" NoEffect(LOGS),
        SanitiseArg = "sanitiseArg" NoEffect("values are never logged"),
        SanitiseMatched = "sanitiseMatched" NoEffect("values are never logged"),
        SanitiseMatchedBytes = "sanitiseMatchedBytes" NoEffect("values are never logged"),
        SanitiseRequestHeader = "sanitiseRequestHeader" NoEffect("values are never logged"),
        SanitiseResponseHeader = "sanitiseResponseHeader" NoEffect("values are never logged"),
        SetEnv = "setenv" NoEffect(OTHER_PLACE),
        SetRsc = "setrsc" Refused(NOT_KEPT),
        SetSid = "setsid" Refused(NOT_KEPT),
        SetUid = "setuid" Refused(NOT_KEPT),
        SetVar = "setvar" Full,
        Severity = "severity" Full,
        Skip = "skip" Full,
        SkipAfter = "skipAfter" Full,
        Status = "status" NoEffect("answers are the policy's"),
        T = "t" Full,
        Tag = "tag" Full,
        Ver = "ver" NoEffect(LOGS),
        XmlNs = "xmlns" Refused("XML is read without prefixes"),
    }
}

words! {
    /// Options of `ctl`.
    CtlName {
        AuditEngine = "auditEngine" NoEffect(LOGS),
        AuditLogParts = "auditLogParts" NoEffect(LOGS),
        DebugLogLevel = "debugLogLevel" NoEffect(LOGS),
        ForceRequestBodyVariable = "forceRequestBodyVariable" NoEffect("`REQUEST_BODY` holds bodies of no known kind anyway"),
        ForceResponseBodyVariable = "forceResponseBodyVariable" NoEffect(POLICY),
        HashEnforcement = "hashEnforcement" NoEffect(CHANGES),
        HashEngine = "hashEngine" NoEffect(CHANGES),
        ParseXmlIntoArgs = "parseXmlIntoArgs" Refused("only `Off` is taken: values of XML are no arguments"),
        RequestBodyAccess = "requestBodyAccess" NoEffect("the policy says which bodies are judged: what this would pass over is judged"),
        RequestBodyLimit = "requestBodyLimit" NoEffect(POLICY),
        RequestBodyProcessor = "requestBodyProcessor" NoEffect("bodies are read by their `Content-Type`"),
        ResponseBodyAccess = "responseBodyAccess" NoEffect(POLICY),
        ResponseBodyLimit = "responseBodyLimit" NoEffect(POLICY),
        RuleEngine = "ruleEngine" Partly("`Off` and `On`; `DetectionOnly` is refused: the policy says which rules only report"),
        RuleRemoveById = "ruleRemoveById" Full,
        RuleRemoveByMsg = "ruleRemoveByMsg" Full,
        RuleRemoveByTag = "ruleRemoveByTag" Full,
        RuleRemoveTargetById = "ruleRemoveTargetById" Full,
        RuleRemoveTargetByMsg = "ruleRemoveTargetByMsg" Full,
        RuleRemoveTargetByTag = "ruleRemoveTargetByTag" Full,
    }
}

words! {
    /// Directives.
    Directive {
        Include = "Include" Full,
        IncludeOptional = "IncludeOptional" Full,
        SecAction = "SecAction" Full,
        SecArgumentSeparator = "SecArgumentSeparator" Refused("only `&` is taken: fields of forms are parted by it"),
        SecArgumentsLimit = "SecArgumentsLimit" NoEffect(POLICY),
        SecAuditEngine = "SecAuditEngine" NoEffect(LOGS),
        SecAuditLog = "SecAuditLog" NoEffect(LOGS),
        SecAuditLog2 = "SecAuditLog2" NoEffect(LOGS),
        SecAuditLogDirMode = "SecAuditLogDirMode" NoEffect(LOGS),
        SecAuditLogFileMode = "SecAuditLogFileMode" NoEffect(LOGS),
        SecAuditLogFormat = "SecAuditLogFormat" NoEffect(LOGS),
        SecAuditLogParts = "SecAuditLogParts" NoEffect(LOGS),
        SecAuditLogRelevantStatus = "SecAuditLogRelevantStatus" NoEffect(LOGS),
        SecAuditLogStorageDir = "SecAuditLogStorageDir" NoEffect(LOGS),
        SecAuditLogType = "SecAuditLogType" NoEffect(LOGS),
        SecCacheTransformations = "SecCacheTransformations" NoEffect("transformations are shared anyway"),
        SecChrootDir = "SecChrootDir" NoEffect(OTHER_PLACE),
        SecCollectionTimeout = "SecCollectionTimeout" NoEffect(NOT_KEPT),
        SecComponentSignature = "SecComponentSignature" NoEffect(LOGS),
        SecConnEngine = "SecConnEngine" Refused(OTHER_PLACE),
        SecConnReadStateLimit = "SecConnReadStateLimit" Refused(OTHER_PLACE),
        SecConnWriteStateLimit = "SecConnWriteStateLimit" Refused(OTHER_PLACE),
        SecContentInjection = "SecContentInjection" Refused(CHANGES),
        SecCookieFormat = "SecCookieFormat" Refused("only `0` is taken: cookies are read as RFC 6265 says"),
        SecCookieV0Separator = "SecCookieV0Separator" Refused("cookies are read as RFC 6265 says"),
        SecDataDir = "SecDataDir" NoEffect(NOT_KEPT),
        SecDebugLog = "SecDebugLog" NoEffect(LOGS),
        SecDebugLogLevel = "SecDebugLogLevel" NoEffect(LOGS),
        SecDefaultAction = "SecDefaultAction" Full,
        SecDisableBackendCompression = "SecDisableBackendCompression" Refused(CHANGES),
        SecGeoLookupDb = "SecGeoLookupDb" Refused("no map of addresses is held"),
        SecGsbLookupDb = "SecGsbLookupDb" Refused(RUNS),
        SecGuardianLog = "SecGuardianLog" NoEffect(LOGS),
        SecHashEngine = "SecHashEngine" Refused(CHANGES),
        SecHttpBlKey = "SecHttpBlKey" NoEffect("no names are resolved"),
        SecInterceptOnError = "SecInterceptOnError" NoEffect(POLICY),
        SecMarker = "SecMarker" Full,
        SecParseXmlIntoArgs = "SecParseXmlIntoArgs" Refused("only `Off` is taken: values of XML are no arguments"),
        SecPcreMatchLimit = "SecPcreMatchLimit" NoEffect("matching takes time linear in the value"),
        SecPcreMatchLimitRecursion = "SecPcreMatchLimitRecursion" NoEffect("matching takes time linear in the value"),
        SecRemoteRules = "SecRemoteRules" Refused("nothing is fetched from a network"),
        SecRemoteRulesFailAction = "SecRemoteRulesFailAction" Refused("nothing is fetched from a network"),
        SecRequestBodyAccess = "SecRequestBodyAccess" NoEffect(POLICY),
        SecRequestBodyInMemoryLimit = "SecRequestBodyInMemoryLimit" NoEffect(POLICY),
        SecRequestBodyJsonDepthLimit = "SecRequestBodyJsonDepthLimit" NoEffect(POLICY),
        SecRequestBodyLimit = "SecRequestBodyLimit" NoEffect(POLICY),
        SecRequestBodyLimitAction = "SecRequestBodyLimitAction" NoEffect(POLICY),
        SecRequestBodyNoFilesLimit = "SecRequestBodyNoFilesLimit" NoEffect(POLICY),
        SecResponseBodyAccess = "SecResponseBodyAccess" NoEffect(POLICY),
        SecResponseBodyLimit = "SecResponseBodyLimit" NoEffect(POLICY),
        SecResponseBodyLimitAction = "SecResponseBodyLimitAction" NoEffect(POLICY),
        SecResponseBodyMimeType = "SecResponseBodyMimeType" NoEffect(POLICY),
        SecResponseBodyMimeTypesClear = "SecResponseBodyMimeTypesClear" NoEffect(POLICY),
        SecRule = "SecRule" Full,
        SecRuleEngine = "SecRuleEngine" NoEffect(POLICY),
        SecRuleInheritance = "SecRuleInheritance" Refused(OTHER_PLACE),
        SecRulePerfTime = "SecRulePerfTime" NoEffect(LOGS),
        SecRuleRemoveById = "SecRuleRemoveById" Full,
        SecRuleRemoveByMsg = "SecRuleRemoveByMsg" Full,
        SecRuleRemoveByTag = "SecRuleRemoveByTag" Full,
        SecRuleScript = "SecRuleScript" Refused(RUNS),
        SecRuleUpdateActionById = "SecRuleUpdateActionById" Full,
        SecRuleUpdateTargetById = "SecRuleUpdateTargetById" Full,
        SecRuleUpdateTargetByMsg = "SecRuleUpdateTargetByMsg" Full,
        SecRuleUpdateTargetByTag = "SecRuleUpdateTargetByTag" Full,
        SecSensorId = "SecSensorId" NoEffect(LOGS),
        SecServerSignature = "SecServerSignature" NoEffect(OTHER_PLACE),
        SecStatusEngine = "SecStatusEngine" NoEffect("nothing is sent anywhere"),
        SecStreamInBodyInspection = "SecStreamInBodyInspection" NoEffect("bodies stream by anyway"),
        SecStreamOutBodyInspection = "SecStreamOutBodyInspection" NoEffect("bodies stream by anyway"),
        SecTmpDir = "SecTmpDir" NoEffect("no file is written"),
        SecTmpSaveUploadedFiles = "SecTmpSaveUploadedFiles" NoEffect("no file is written"),
        SecUnicodeMapFile = "SecUnicodeMapFile" NoEffect("full-width forms are mapped to ASCII; other maps are not read"),
        SecUploadDir = "SecUploadDir" NoEffect("no file is written"),
        SecUploadFileLimit = "SecUploadFileLimit" NoEffect(POLICY),
        SecUploadFileMode = "SecUploadFileMode" NoEffect("no file is written"),
        SecUploadKeepFiles = "SecUploadKeepFiles" NoEffect("no file is written"),
        SecWebAppId = "SecWebAppId" NoEffect(LOGS),
        SecXmlExternalEntity = "SecXmlExternalEntity" NoEffect("entities are never resolved"),
    }
}

impl Collection {
    /// Whether rules set its variables.
    pub fn is_set_by_rules(self) -> bool {
        self == Collection::Tx || self.is_persistent()
    }

    /// Whether ModSecurity keeps it from one transaction to the next.
    pub fn is_persistent(self) -> bool {
        matches!(self.support(), Partly(_))
    }
}
