// SPDX-License-Identifier: Apache-2.0

package helm_test

import (
	"encoding/json"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	podutil "k8s.io/kubernetes/pkg/api/pod"
	"k8s.io/kubernetes/pkg/apis/apps"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	appsvalidation "k8s.io/kubernetes/pkg/apis/apps/validation"
	"k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	corevalidation "k8s.io/kubernetes/pkg/apis/core/validation"
	"k8s.io/kubernetes/pkg/apis/networking"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	networkingvalidation "k8s.io/kubernetes/pkg/apis/networking/validation"
	"k8s.io/kubernetes/pkg/apis/policy"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	policyvalidation "k8s.io/kubernetes/pkg/apis/policy/validation"
	"k8s.io/kubernetes/pkg/apis/rbac"
	_ "k8s.io/kubernetes/pkg/apis/rbac/install"
	rbacvalidation "k8s.io/kubernetes/pkg/apis/rbac/validation"
	podsecurity "k8s.io/pod-security-admission/api"
	securitypolicy "k8s.io/pod-security-admission/policy"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
)

// accept does what the API server does with an object that is created, up to the store: it reads it, with field validation strict,
// puts the defaults in and validates it. Of custom resources it is the reading.
func accept(codecs serializer.CodecFactory, o object) (runtime.Object, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	in, _, err := codecs.UniversalDeserializer().Decode(text, nil, nil)
	if err != nil || strings.Contains(o["apiVersion"].(string), "monitoring.coreos.com/") || strings.Contains(o["apiVersion"].(string), "gateway.networking") {
		return in, err
	}
	if in, err = runtime.Decode(codecs.UniversalDecoder(), text); err != nil {
		return nil, err
	}
	return in, validate(in).ToAggregate()
}

func validate(in runtime.Object) field.ErrorList {
	if named, ok := in.(interface{ SetNamespace(string) }); ok {
		switch in.(type) {
		case *rbac.ClusterRole, *rbac.ClusterRoleBinding:
		default:
			named.SetNamespace("soc") // as who posts it to a namespace's address
		}
	}
	switch o := in.(type) {
	case *apps.StatefulSet:
		return appsvalidation.ValidateStatefulSet(o, appsvalidation.StatefulSetValidationOptions{}, podutil.GetValidationOptionsFromPodTemplate(&o.Spec.Template, nil))
	case *core.Service:
		return corevalidation.ValidateServiceCreate(o)
	case *core.ConfigMap:
		return corevalidation.ValidateConfigMap(o)
	case *core.Secret:
		return corevalidation.ValidateSecret(o)
	case *core.ServiceAccount:
		return corevalidation.ValidateServiceAccount(o)
	case *networking.NetworkPolicy:
		return networkingvalidation.ValidateNetworkPolicy(o, networkingvalidation.ValidationOptionsForNetworking(o, nil))
	case *networking.Ingress:
		return networkingvalidation.ValidateIngressCreate(o)
	case *policy.PodDisruptionBudget:
		return policyvalidation.ValidatePodDisruptionBudget(o, policyvalidation.PodDisruptionBudgetValidationOptions{})
	case *rbac.Role:
		return rbacvalidation.ValidateRole(o)
	case *rbac.RoleBinding:
		return rbacvalidation.ValidateRoleBinding(o)
	case *rbac.ClusterRole:
		return rbacvalidation.ValidateClusterRole(o, rbacvalidation.ClusterRoleValidationOptions{})
	case *rbac.ClusterRoleBinding:
		return rbacvalidation.ValidateClusterRoleBinding(o)
	}
	return field.ErrorList{field.NotSupported(field.NewPath("kind"), in.GetObjectKind().GroupVersionKind().Kind, []string{"one that this test validates"})}
}

// TestAccepted: the API server takes each object, the pods also in a namespace for which the restricted Pod Security Standard is enforced.
func TestAccepted(t *testing.T) {
	scheme := legacyscheme.Scheme
	utilruntime.Must(monitoring.AddToScheme(scheme))
	utilruntime.Must(gateway.Install(scheme))
	codecs := serializer.NewCodecFactory(scheme, serializer.EnableStrict)
	secure, err := securitypolicy.NewEvaluator(securitypolicy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	level := podsecurity.LevelVersion{Level: podsecurity.LevelRestricted, Version: podsecurity.LatestVersion()}
	for name, values := range installations {
		r := render(t, values)
		names := make(map[string]bool)
		for _, o := range r.objects {
			id := o["kind"].(string) + "/" + get(o, "metadata", "name").(string)
			if names[id] {
				t.Errorf("%s: %s is there twice", name, id)
			}
			names[id] = true
			if _, err := accept(codecs, o); err != nil {
				t.Errorf("%s: %s: %v", name, id, err)
			}
			if get(o, "metadata", "labels", "app.kubernetes.io/instance") != "tocsin" {
				t.Errorf("%s: %s has not the labels of its release", name, id)
			}
		}
		var pod corev1.PodSpec
		text, err := json.Marshal(r.pod())
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &pod); err != nil {
			t.Fatal(err)
		}
		for _, result := range secure.EvaluatePod(level, &metav1.ObjectMeta{}, &pod) {
			if !result.Allowed {
				t.Errorf("%s: %s: %s", name, result.ForbiddenReason, result.ForbiddenDetail)
			}
		}
		c := pod.Containers[0].SecurityContext
		if c.ReadOnlyRootFilesystem == nil || !*c.ReadOnlyRootFilesystem || *pod.SecurityContext.RunAsUser != 65532 {
			t.Errorf("%s: the root file system can be written, or the user is another than the image's", name)
		}
		if token := *pod.AutomountServiceAccountToken; token != (len(r.all("ClusterRole")) == 1) {
			t.Errorf("%s: the pod has a token of its service account: %t", name, token)
		}
	}
}
