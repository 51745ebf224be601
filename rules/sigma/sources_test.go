// SPDX-License-Identifier: Apache-2.0

package sigma_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"tocsin/event"
	"tocsin/ingest"
	"tocsin/rules/pred"
	"tocsin/rules/sigma"
)

// records are whole events of log sources whose form is known, on which one of the public rules fires as they are.
var records = map[string]string{
	"category=raw_access_thread, product=windows":             `{"Channel":"Microsoft-Windows-Sysmon/Operational","EventID":9,"Image":"C:\\Temp\\x.exe","Device":"\\Device\\HarddiskVolume1"}`,
	"category=application, product=kubernetes, service=audit": `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"1","stage":"ResponseComplete","verb":"create","user":{"username":"ana"},"objectRef":{"resource":"pods","namespace":"shop","name":"web","subresource":"exec"},"responseStatus":{"code":101}}`,
	"category=application, product=opencanary":                `{"dst_host":"10.0.0.5","dst_port":22,"local_time":"2026-11-20 09:00:00.000000","logdata":{"PASSWORD":"x","USERNAME":"root"},"logtype":4002,"node_id":"c-1","src_host":"10.0.0.9","src_port":44444}`,
	"category=application, product=rpc_firewall":              `{"EventLog":"RPCFW","EventID":3,"InterfaceUuid":"86d35949-83c9-4044-b424-db363231fd0c","OpNum":1}`,
	"product=aws, service=cloudtrail":                         `{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::1:user/ana"},"eventSource":"cloudtrail.amazonaws.com","eventName":"StopLogging","awsRegion":"eu-central-1","eventType":"AwsApiCall"}`,
	"product=azure, service=activitylogs":                     `{"time":"2026-11-20T09:00:00Z","resourceId":"/SUBSCRIPTIONS/1","operationName":{"value":"MICROSOFT.NETWORK/DNSZONES/WRITE","localizedValue":"Create"},"category":{"value":"Administrative"},"status":{"value":"Succeeded"}}`,
	"product=azure, service=auditlogs":                        `{"time":"2026-11-20T09:00:00Z","category":"AuditLogs","operationName":"Add owner to application","properties":{"loggedByService":"Core Directory","category":"ApplicationManagement","activityDisplayName":"Add owner to application"}}`,
	"product=azure, service=pim":                              `{"id":"1","riskEventType":"rolesAssignedOutsidePrivilegedIdentityManagementAlertConfiguration"}`,
	"product=azure, service=riskdetection":                    `{"id":"1","riskEventType":"anonymizedIPAddress","riskLevel":"high","userPrincipalName":"ana@x"}`,
	"product=azure, service=signinlogs":                       `{"time":"2026-11-20T09:00:00Z","category":"SignInLogs","resultType":"50053","properties":{"appId":"1","userPrincipalName":"ana@x"}}`,
	"product=bitbucket, service=audit":                        `{"timestamp":"2026-11-20T09:00:00Z","author":{"name":"ana"},"auditType":{"action":"Unauthorized access to a resource","category":"Security"}}`,
	"product=cisco, service=duo":                              `{"txid":"1","event_type":"authentication","factor":"bypass_code","reason":"bypass_user","result":"success","user":{"name":"ana"}}`,
	"product=fortigate, service=event":                        `{"type":"event","subtype":"system","action":"Add","cfgpath":"firewall.policy"}`,
	"product=gcp, service=gcp.audit":                          `{"logName":"projects/p/logs/cloudaudit.googleapis.com%2Factivity","protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","serviceName":"storage.googleapis.com","methodName":"storage.buckets.list","authenticationInfo":{"principalEmail":"a@x"}}}`,
	"product=gcp, service=google_workspace.admin":             `{"kind":"admin#reports#activity","id":{"applicationName":"admin"},"eventService":"admin.googleapis.com","eventName":"REMOVE_APPLICATION"}`,
	"product=gcp, service=google_workspace.login":             `{"protoPayload":{"serviceName":"login.googleapis.com","methodName":"google.login.LoginService.loginFailure","metadata":{"event":[{"eventName":"suspicious_login","eventType":"login"}]}}}`,
	"product=github, service=audit":                           `{"@timestamp":1792000000000,"action":"secret_scanning.disable","actor":"ana","org":"shop"}`,
	"product=kubernetes, service=audit":                       `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"1","stage":"ResponseComplete","verb":"delete","user":{"username":"ana"},"objectRef":{"resource":"secrets","namespace":"shop"},"responseStatus":{"code":200}}`,
	"product=m365, service=audit":                             `{"CreationTime":"2026-11-20T09:00:00","Workload":"ThreatIntelligence","Operation":"TIMailData","Directionality":"Inbound"}`,
	"product=m365, service=exchange":                          `{"eventSource":"Exchange","eventName":"Add-FederatedDomain","status":"success"}`,
	"product=m365, service=threat_detection":                  `{"eventSource":"SecurityComplianceCenter","eventName":"Activity from suspicious IP addresses","status":"success"}`,
	"product=m365, service=threat_management":                 `{"eventSource":"SecurityComplianceCenter","eventName":"Potential ransomware activity","status":"success"}`,
	"product=okta, service=okta":                              `{"uuid":"1","published":"2026-11-20T09:00:00Z","eventType":"user.account.lock","displayMessage":"Max sign in attempts exceeded","actor":{"alternateId":"ana@x"}}`,
	"product=onelogin, service=onelogin.events":               `{"id":1,"event_type_id":3,"actor_user_name":"ana"}`,
	"product=zeek, service=dce_rpc":                           `{"_path":"dce_rpc","uid":"C1","endpoint":"spoolss","operation":"RpcAddPrinterDriverEx"}`,
	"product=zeek, service=dns":                               `{"_path":"dns","ts":1792000000.1,"uid":"C1","id.orig_h":"10.0.0.9","id.resp_h":"10.0.0.1","query":"1.torproject.org","qtype_name":"A"}`,
	"product=zeek, service=http":                              `{"_path":"http","uid":"C1","method":"POST","uri":"/wsman","status_code":200,"request_body_len":9,"client_header_names":["HOST"]}`,
	"product=zeek, service=kerberos":                          `{"_path":"kerberos","uid":"C1","request_type":"TGS","cipher":"rc4-hmac","service":"cifs/h"}`,
	"product=zeek, service=rdp":                               `{"_path":"rdp","uid":"C1","id.orig_h":"203.0.113.9","id.resp_h":"10.0.0.1"}`,
	"product=zeek, service=smb_files":                         `{"_path":"smb_files","uid":"C1","action":"SMB::FILE_OPEN","path":"\\\\h\\IPC$","name":"ticket.kirbi"}`,
	"product=zeek, service=x509":                              `{"_path":"x509","id":"F1","certificate.serial":"8BB00EE"}`,
}

// shutOut are the rules that cannot fire on flat events, and why.
var shutOut = map[string]string{
	"Important Windows Eventlog Cleared": "it asks for the Channel of the event's data, which a flat event has no place for beside the event's own",
}

// TestEverySourceFires: of each log source of the public rules one of them at least fires on an event in the source's own
// form, that is, without what only the gate of the log source asks for. And no gate shuts out an event that has all that
// a rule asks for.
func TestEverySourceFires(t *testing.T) {
	t.Parallel()
	all, _ := load(t)
	bySource := make(map[string][]*sigma.Rule)
	for _, r := range all {
		bySource[r.Logsource] = append(bySource[r.Logsource], r)
	}
	tried, fired := 0, 0
	for _, source := range slices.Sorted(maps.Keys(bySource)) {
		record, whole := records[source]
		frame, framed := frames[source]
		if whole == framed {
			t.Errorf("%s has to have a record or a frame: %t, %t", source, whole, framed)
			continue
		}
		works := false
		for _, r := range bySource[source] {
			var e *event.Event
			if whole {
				e = ingested(t, record)
				works = works || pred.Eval(r.Condition(), e)
				continue
			}
			if e = satisfying(t, r, frame); e == nil {
				continue
			}
			tried++
			if pred.Eval(r.Condition(), e) {
				fired++
				works = true
			} else if shutOut[r.Title] == "" {
				t.Errorf("%s (%s): the log source shuts out %s", r.Title, source, e.Object().Text())
			}
		}
		if !works {
			t.Errorf("no rule of %s fires", source)
		}
	}
	for source := range maps.Keys(frames) {
		if bySource[source] == nil {
			t.Errorf("there is no rule of %s", source)
		}
	}
	t.Logf("%d log sources, %d of them by whole records; by frames %d of %d rules fire", len(bySource), len(records), fired, tried)
}

// satisfying returns an event that has what a rule's detection asks for, nil if none is found.
func satisfying(t *testing.T, r *sigma.Rule, frame string) *event.Event {
	t.Helper()
	for _, demands := range ways(r.Node, true) {
		record := make(map[string]any)
		if err := json.Unmarshal([]byte(frame), &record); err != nil {
			t.Fatalf("%s: %v", frame, err)
		}
		if !fill(record, demands) {
			continue
		}
		raw, err := json.Marshal(record)
		if err != nil {
			t.Fatal(err)
		}
		if e := ingested(t, string(raw)); pred.Eval(r.Node, e) {
			return e
		}
	}
	return nil
}

// ingested is an event as the endpoint makes it of what Vector sends.
func ingested(t *testing.T, raw string) *event.Event {
	t.Helper()
	e, err := ingest.NewParser(ingest.ParserConfig{}).Parse(event.Record{Input: "in", Source: "vector", Raw: []byte(raw)}, 1)
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return e
}
