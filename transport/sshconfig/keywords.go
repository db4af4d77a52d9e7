package sshconfig

// keyword is what is known of a keyword: its name as OpenSSH prints it, which obsolete spellings share, and how the
// arguments are checked. OpenSSH refuses wrong values of every keyword, wherever they stand; so do we, lest a
// configuration be good for one and not for the other.
type keyword struct {
	name  string
	check func(l *line) error
}

// keywords are those of readconf.c of OpenSSH 10.5, and what Debian adds.
var keywords = map[string]keyword{
	"host": {"host", checkHost}, "match": {"match", checkMatch}, "include": {"include", checkInclude},

	"hostname": {"hostname", text}, "user": {"user", text}, "port": {"port", checkPort}, "hostkeyalias": {"hostkeyalias", text},
	"tag": {"tag", text}, "bindaddress": {"bindaddress", text}, "bindinterface": {"bindinterface", text},
	"addressfamily":       {"addressfamily", oneOf("inet", "inet6", "any")},
	"connecttimeout":      {"connecttimeout", interval},
	"setuptimeout":        {"serveraliveinterval", interval}, // Debian's old name
	"protocolkeepalives":  {"serveraliveinterval", interval},
	"connectionattempts":  {"connectionattempts", number},
	"serveraliveinterval": {"serveraliveinterval", interval}, "serveralivecountmax": {"serveralivecountmax", number},
	"compression": {"compression", oneOf("yes", "no")},

	"identityfile": {"identityfile", text}, "identityfile2": {"identityfile", text}, "certificatefile": {"certificatefile", text},
	"identitiesonly": {"identitiesonly", flag}, "identityagent": {"identityagent", checkAgent},
	"preferredauthentications": {"preferredauthentications", text},
	"pubkeyauthentication":     {"pubkeyauthentication", pubkeyAuth}, "dsaauthentication": {"pubkeyauthentication", pubkeyAuth},
	"passwordauthentication":          {"passwordauthentication", flag},
	"kbdinteractiveauthentication":    {"kbdinteractiveauthentication", flag},
	"challengeresponseauthentication": {"kbdinteractiveauthentication", flag},
	"skeyauthentication":              {"kbdinteractiveauthentication", flag},
	"tisauthentication":               {"kbdinteractiveauthentication", flag},
	"numberofpasswordprompts":         {"numberofpasswordprompts", number},
	"batchmode":                       {"batchmode", flag},

	"stricthostkeychecking": {"stricthostkeychecking", oneOf("true", "false", "yes", "no", "ask", "off", "accept-new")},
	"userknownhostsfile":    {"userknownhostsfile", fileList}, "globalknownhostsfile": {"globalknownhostsfile", fileList},
	"revokedhostkeys": {"revokedhostkeys", fileList}, "hashknownhosts": {"hashknownhosts", flag},
	"knownhostscommand":                {"knownhostscommand", command},
	"nohostauthenticationforlocalhost": {"nohostauthenticationforlocalhost", flag},
	"verifyhostkeydns":                 {"verifyhostkeydns", yesNoAsk}, "updatehostkeys": {"updatehostkeys", yesNoAsk},
	"checkhostip": {"checkhostip", flag}, "visualhostkey": {"visualhostkey", flag},

	"kexalgorithms": {"kexalgorithms", algorithmNames}, "ciphers": {"ciphers", algorithmNames}, "macs": {"macs", algorithmNames},
	"hostkeyalgorithms":           {"hostkeyalgorithms", algorithmNames},
	"pubkeyacceptedalgorithms":    {"pubkeyacceptedalgorithms", algorithmNames},
	"pubkeyacceptedkeytypes":      {"pubkeyacceptedalgorithms", algorithmNames},
	"hostbasedacceptedalgorithms": {"hostbasedacceptedalgorithms", algorithmNames},
	"hostbasedkeytypes":           {"hostbasedacceptedalgorithms", algorithmNames},
	"casignaturealgorithms":       {"casignaturealgorithms", algorithmNames},
	"requiredrsasize":             {"requiredrsasize", number},

	"proxycommand": {"proxycommand", command}, "proxyjump": {"proxyjump", checkJump}, "proxyusefdpass": {"proxyusefdpass", flag},
	"controlpath": {"controlpath", text}, "controlpersist": {"controlpersist", persist},
	"controlmaster": {"controlmaster", oneOf("true", "yes", "false", "no", "auto", "ask", "autoask")},

	"canonicalizehostname": {"canonicalizehostname", oneOf("true", "false", "yes", "no", "always")},
	"canonicaldomains":     {"canonicaldomains", domains}, "canonicalizemaxdots": {"canonicalizemaxdots", number},
	"canonicalizefallbacklocal":   {"canonicalizefallbacklocal", flag},
	"canonicalizepermittedcnames": {"canonicalizepermittedcnames", cnames},

	"forwardagent": {"forwardagent", forwardAgent}, "forwardx11": {"forwardx11", flag}, "forwardx11trusted": {"forwardx11trusted", flag},
	"forwardx11timeout": {"forwardx11timeout", interval}, "exitonforwardfailure": {"exitonforwardfailure", flag},
	"xauthlocation": {"xauthlocation", text}, "gatewayports": {"gatewayports", flag}, "kbdinteractivedevices": {"kbdinteractivedevices", text},
	"hostbasedauthentication": {"hostbasedauthentication", flag}, "addkeystoagent": {"addkeystoagent", addKeys},
	"remoteforward": {"remoteforward", forward}, "localforward": {"localforward", forward}, "dynamicforward": {"dynamicforward", forward},
	"permitremoteopen": {"permitremoteopen", remoteOpen}, "clearallforwardings": {"clearallforwardings", flag},
	"escapechar": {"escapechar", escapeChar}, "tcpkeepalive": {"tcpkeepalive", flag}, "keepalive": {"tcpkeepalive", flag},
	"syslogfacility": {"syslogfacility", oneOf("daemon", "user", "auth", "authpriv", "local0", "local1", "local2", "local3", "local4",
		"local5", "local6", "local7")},
	"loglevel":   {"loglevel", oneOf("silent", "quiet", "fatal", "error", "info", "verbose", "debug", "debug1", "debug2", "debug3")},
	"logverbose": {"logverbose", fileList}, "enablesshkeysign": {"enablesshkeysign", flag}, "rekeylimit": {"rekeylimit", rekeyLimit},
	"sendenv": {"sendenv", sendEnv}, "setenv": {"setenv", setEnv}, "tunneldevice": {"tunneldevice", tunnelDevice},
	"tunnel":       {"tunnel", oneOf("ethernet", "point-to-point", "true", "yes", "false", "no")},
	"localcommand": {"localcommand", command}, "permitlocalcommand": {"permitlocalcommand", flag}, "remotecommand": {"remotecommand", command},
	"ipqos": {"ipqos", ipQoS}, "requesttty": {"requesttty", oneOf("true", "yes", "false", "no", "force", "auto")},
	"sessiontype": {"sessiontype", oneOf("none", "subsystem", "default")}, "stdinnull": {"stdinnull", flag},
	"forkafterauthentication": {"forkafterauthentication", flag}, "streamlocalbindmask": {"streamlocalbindmask", mask},
	"streamlocalbindunlink": {"streamlocalbindunlink", flag},
	"fingerprinthash":       {"fingerprinthash", oneOf("md5", "sha1", "sha256", "sha384", "sha512")},
	"ignoreunknown":         {"ignoreunknown", text}, "securitykeyprovider": {"securitykeyprovider", text},
	"enableescapecommandline": {"enableescapecommandline", flag}, "obscurekeystroketiming": {"obscurekeystroketiming", keystrokeTiming},
	"channeltimeout": {"channeltimeout", channelTimeout}, "versionaddendum": {"versionaddendum", anyArguments},
	"refuseconnection": {"refuseconnection", text}, "warnweakcrypto": {"warnweakcrypto", oneOf("true", "false", "yes", "no", "no-pq-kex")},
	"pkcs11provider": {"pkcs11provider", text}, "smartcarddevice": {"pkcs11provider", text},
	"gssapiauthentication": {"gssapiauthentication", flag}, "gssapidelegatecredentials": {"gssapidelegatecredentials", flag},
	"gssapikeyexchange": {"gssapikeyexchange", flag}, "gssapitrustdns": {"gssapitrustdns", flag},
	"gssapirenewalforcesrekey": {"gssapirenewalforcesrekey", flag}, "gssapiclientidentity": {"gssapiclientidentity", text},
	"gssapiserveridentity": {"gssapiserveridentity", text}, "gssapikexalgorithms": {"gssapikexalgorithms", text},

	// No longer of any effect, with whatever arguments.
	"protocol": {"protocol", anyArguments}, "cipher": {"cipher", anyArguments}, "fallbacktorsh": {"fallbacktorsh", anyArguments},
	"globalknownhostsfile2": {"globalknownhostsfile2", anyArguments}, "rhostsauthentication": {"rhostsauthentication", anyArguments},
	"userknownhostsfile2": {"userknownhostsfile2", anyArguments}, "useroaming": {"useroaming", anyArguments}, "usersh": {"usersh", anyArguments},
	"useprivilegedport": {"useprivilegedport", anyArguments}, "afstokenpassing": {"afstokenpassing", anyArguments},
	"kerberosauthentication": {"kerberosauthentication", anyArguments}, "kerberostgtpassing": {"kerberostgtpassing", anyArguments},
	"rsaauthentication": {"rsaauthentication", anyArguments}, "rhostsrsaauthentication": {"rhostsrsaauthentication", anyArguments},
	"compressionlevel": {"compressionlevel", anyArguments},
}
